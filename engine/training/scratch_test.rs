//! Scratch: simulated history through the trainer and the onnx room.
use crate::dataset::History;
use crate::settings::Settings;
use exchange::market_model::{MarketModel, Settings as Market};
use market::quote::Timeframe;
use market::{Date, Label, Symbol};

#[test]
#[ignore]
fn scratch() {
    let symbols: Vec<Symbol> = ["SPY", "QQQ", "IWM", "AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "META"].iter().map(|s| s.parse().unwrap()).collect();
    let t = std::time::Instant::now();
    let worlds: u64 = std::env::var("WORLDS").ok().and_then(|w| w.parse().ok()).unwrap_or(1);
    let rate: f64 = std::env::var("RATE").ok().and_then(|w| w.parse().ok()).unwrap_or(1e-3);
    let mut histories = Vec::new();
    for seed in 0..worlds {
        let market = MarketModel::new(Market { seed: 7 + seed, symbols: symbols.clone(), first_session: Date::literal(2026, 3, 16), stock_quotes_per_second: 1.0, stock_trades_per_second: 1.0, option_checks_per_second: 1.0, option_quote_age_max_seconds: 60.0 }).unwrap();
        histories.extend(symbols.iter().map(|s| History { symbol: *s, days: market.history(*s, Timeframe::Day1), minutes: market.history(*s, Timeframe::Min1) }));
    }
    println!("history {:?}: {} days {} minutes", t.elapsed(), histories[0].days.len(), histories[0].minutes.len());
    let settings = Settings { prefix: Label::literal("sim"), version: Label::literal("1.0.0"), seed: 7,
        horizon_bars: [15, 6, 4, 4, 3, 2, 5, 2, 1, 1], threshold_atr: 0.27, hidden: 32, epochs_max: 30, patience_epochs: 5, batch_rows: 128, learning_rate: rate, weight_decay: 1e-2, test_share: 0.2, validation_share: 0.15, rows_min: 400, rows_max: 400_000, source: "simulated market, seed 7: not the market".into() };
    let out = std::path::Path::new("/tmp/models_try");
    let _ = std::fs::remove_dir_all(out);
    let t = std::time::Instant::now();
    let report = crate::train(&histories, &settings, out).unwrap();
    println!("{:?}\n{report}", t.elapsed());
    for m in &report.models {
        let loaded = onnx::load_dir(&m.folder).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(loaded.manifest.timeframe, m.timeframe);
    }
}
