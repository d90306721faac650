//! Traits by noun, and the stores behind them.
