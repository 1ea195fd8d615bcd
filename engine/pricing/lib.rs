//! Option mathematics: price, delta, implied volatility, payoff of legs.
