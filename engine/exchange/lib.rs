//! The simulated exchange: accounts, matching, fees, expiry, and the market it simulates.
