//! The broker's wire protocol, for client and server alike, and the client that speaks it.
