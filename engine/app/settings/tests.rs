//! Bad files of every kind, each fault held to its line, column and remedy; the shipped files; and the table
//! against what is made of it.

use super::table::{SECTIONS, TABLE};
use super::*;
use market::Money;
use std::collections::BTreeMap;

const STRUCTURES: &str = include_str!("../../../config/structures.yaml");
const ENSEMBLES: &str = include_str!("../../../config/ensembles.yaml");
const FEES: &str = include_str!("../../../config/fees.yaml");
const HEAD: &str = "endpoint: embedded\nsymbols: [SPY]\n";

/// Compiles a settings text with the shipped lists, some of them replaced.
fn compile_with(text: &str, replaced: &[(&str, &str)]) -> Result<Settings, Faults> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in [("structures.yaml", STRUCTURES), ("ensembles.yaml", ENSEMBLES), ("fees.yaml", FEES)]
    {
        files.insert(name.into(), text.into());
    }
    for (name, text) in replaced {
        files.insert((*name).into(), (*text).into());
    }
    files.insert("w.yaml".into(), text.into());
    compile(Path::new("config/w.yaml"), &|path: &Path| {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        files.get(&name).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    })
}

fn faults(text: &str) -> Vec<Fault> {
    compile_with(text, &[]).expect_err("faulty").0
}

/// The only fault of `HEAD` and these lines: line (within them), column, what is found, remedy.
fn only(lines: &str) -> (usize, usize, String, String) {
    let mut found = faults(&format!("{HEAD}{lines}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    let Fault { line, column, found, remedy, .. } = found.remove(0);
    (line - 2, column, found, remedy)
}

#[test]
fn the_shortest_file_has_all_defaults() {
    let settings = compile_with(HEAD, &[]).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.endpoint, Endpoint::Embedded);
    assert_eq!(settings.risk.limits.portfolio_heat_bps, 1_200);
    assert_eq!(settings.strategy.exit.last_day_from_s, 54_000);
    assert_eq!(settings.journal.prune_above_percent, Some(80));
    assert_eq!(settings.journal.ring_dir, None);
    assert_eq!(settings.execution.option_tick, market::Price::from_cents(5));
    assert_eq!(settings.venue.cash, Money::from_dollars(100_000));
    assert_eq!(settings.feed.backoff_first.as_millis(), 500);
    settings.journal.check().expect("the room agrees with the table's bounds");
}

#[test]
fn every_default_is_of_its_kind_and_every_setting_is_used() {
    let file = Path::new("w.yaml");
    let mut report = fault::Report::default();
    let node = yaml::parse(file, HEAD, &mut report).expect("YAML");
    let values = values::Values::read(file, &node, &mut report);
    let list = |text: &str| yaml::parse(file, text, &mut fault::Report::default()).expect("YAML");
    let lists = compiled::Lists {
        structures: structures::compile(file, &list(STRUCTURES), &mut report),
        ensembles: ensembles::compile(file, &list(ENSEMBLES), &mut report),
        fees: fees::compile(file, &list(FEES), &mut report),
    };
    assert!(compiled::assemble(&values, lists, &mut report).is_some());
    assert_eq!(values.unread(), vec!["files.structures", "files.ensembles", "files.fees"]);
    for setting in TABLE {
        let (section, _) = setting.split();
        assert!(SECTIONS.iter().any(|(s, _)| *s == section), "{}", setting.key);
        assert!(TABLE.iter().filter(|s| s.key == setting.key).count() == 1, "{} twice", setting.key);
        assert!(setting.help.ends_with('.') || setting.help.contains(';'), "{}", setting.key);
    }
}

#[test]
fn the_shipped_files_compile_and_say_what_the_rooms_ship() {
    let settings = load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/wingspread.yaml")));
    let settings = settings.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.symbols.len(), 9);
    let names: Vec<&str> = settings.strategy.structures.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["bull_put_spread", "iron_condor"]);
    let theirs: Vec<_> = forecast::ensemble::SHIPPED
        .iter()
        .filter_map(|(name, ..)| forecast::Ensemble::shipped(name))
        .collect();
    assert_eq!(settings.ensembles, theirs);
    assert_eq!(settings.venue.speed, 60.0);
    assert!(settings.risk.book.fees.rates.len() > 20);
}

#[test]
fn the_shipped_fees_are_those_of_the_worked_example() {
    use market::fees::{Day, Fill};
    use market::order::{Effect, Side};
    use market::{Instrument, Price};
    let settings = compile_with(HEAD, &[]).expect("shipped");
    let date = market::Date::literal(2026, 11, 20);
    let spy = Instrument::parse("SPY261218P00600000").expect("a contract");
    let mut day = Day::default();
    for (side, cents) in [(Side::Sell, 150), (Side::Buy, 60), (Side::Buy, 75), (Side::Sell, 30)] {
        let fill = Fill::trade(&spy, side, Effect::Open, 1, Price::from_cents(cents));
        day.add(&settings.risk.book.fees.charges(date, &fill));
    }
    let settled: Vec<_> = day.settle().map(|(kind, m)| (kind.code(), m)).collect();
    let cents = Money::from_cents;
    assert_eq!(settled, [("ORF", cents(10)), ("OCC", cents(10)), ("REG", cents(1)), ("CAT", cents(1))]);
}

#[test]
fn all_faults_of_all_files_are_shown_at_once() {
    let text = "endpoint: embeded\nsymbols: [SPY, spy]\nrisk:\n  portfolio_heat_pct: lots\n  speed: 3\nvenu:\n  seed: 1\n";
    let structures = STRUCTURES.replacen("side: sell, right: put", "side: sold, right: put", 2);
    let ensembles = ENSEMBLES.replace("quorum: 0.75", "quorum: 7");
    let fees = FEES.replace("rate_usd: 0.59", "rate_usd: free");
    let replaced =
        [("structures.yaml", &*structures), ("ensembles.yaml", &*ensembles), ("fees.yaml", &*fees)];
    let found = compile_with(text, &replaced).expect_err("faulty");
    let places: Vec<(String, usize)> = found
        .0
        .iter()
        .map(|f| (f.file.file_name().expect("a name").to_string_lossy().into_owned(), f.line))
        .collect();
    let of = |name: &str| {
        places.iter().filter(|(file, _)| file == name).map(|(_, line)| *line).collect::<Vec<_>>()
    };
    assert_eq!(of("w.yaml"), [1, 2, 4, 5, 6], "{found}");
    assert_eq!(of("structures.yaml").len(), 2, "{found}");
    assert_eq!((of("ensembles.yaml").len(), of("fees.yaml").len()), (1, 1), "{found}");
    let shown = found.to_string();
    assert!(shown.starts_with("the settings have 9 faults:\n"), "{shown}");
    assert!(
        shown.contains("config/w.yaml:1:11: `endpoint` is `embeded`\n    -> did you mean `embedded`?"),
        "{shown}"
    );
}

#[test]
fn a_misspelt_key_names_the_nearest() {
    let fault = only("risk:\n  daily_los_pct: 3\n");
    assert_eq!((fault.0, fault.1), (2, 3));
    assert_eq!(fault.2, "`daily_los_pct` is no setting in `risk`");
    assert_eq!(fault.3, "did you mean `daily_loss_pct`?");
    assert_eq!(only("vennue:\n  seed: 1\n").3, "did you mean `venue`?");
}

#[test]
fn a_key_in_the_wrong_place_is_told_where_it_belongs() {
    assert_eq!(only("seed: 5\n").3, "it belongs in `venue`");
    assert_eq!(only("risk:\n  ensemble: full\n").3, "it belongs at the top, without indentation");
    assert!(only("engine:\n  colour: red\n").3.starts_with("remove it; known in `engine`: shards, "));
}

#[test]
fn wrong_types_and_ranges_say_what_to_write() {
    let fault = only("venue:\n  speed: fast\n");
    assert_eq!((fault.0, fault.1), (2, 10));
    assert_eq!(fault.2, "`venue.speed` is `fast`, not a number");
    assert_eq!(fault.3, "write a number from 1 to 600 (market seconds a second)");
    assert_eq!(only("venue:\n  speed: 601\n").2, "`venue.speed` is `601`, out of range");
    assert_eq!(only("feed:\n  mute_after: 30\n").2, "`feed.mute_after` is `30`, not a time with a unit");
    assert_eq!(only("journal:\n  keep_inputs: yes\n").3, "write true or false");
    assert_eq!(
        only("journal:\n  prune_above_pct: 5\n").3,
        "write a whole number from 20 to 90 (% of map_size), or none"
    );
    assert_eq!(only("risk: 5\n").3, "`risk` is a section: write its settings indented below it");
    assert_eq!(only("venue:\n  seed: [1, 2]\n").2, "`venue.seed` is a list");
    assert_eq!(only("venue:\n  seed:\n").2, "`venue.seed` is nothing");
    assert_eq!(
        only("exit:\n  last_day_from: \"25:00\"\n").2,
        "`exit.last_day_from` is `25:00`, not a time of day"
    );
}

#[test]
fn missing_and_repeated_settings_are_found() {
    let found = faults("ensemble: full\n");
    let texts: Vec<&str> = found.iter().map(|f| f.found.as_str()).collect();
    assert_eq!(texts, ["`endpoint` is missing", "`symbols` is missing"]);
    assert_eq!(found[0].remedy, "endpoint: write one of: embedded, alpaca_paper, custom");
    let fault = only("venue:\n  seed: 1\n  seed: 2\n");
    assert_eq!((fault.0, fault.1), (3, 3));
    assert_eq!(fault.2, "`venue.seed` is given a second time; the first is on line 4");
    assert_eq!(only("symbols: [QQQ]\n").2, "`symbols` is given a second time; the first is on line 2");
}

#[test]
fn symbols_are_tickers() {
    let of = |list: &str| faults(&format!("endpoint: embedded\nsymbols: {list}\n")).remove(0);
    assert_eq!(of("[SPY, spy]").found, "`symbols` names `spy`, which is no ticker");
    assert_eq!(of("[SPY, SPY]").found, "`symbols` names `SPY` twice");
    assert_eq!(of("[]").found, "`symbols` is an empty list");
    assert_eq!(of("SPY").found, "`symbols` is `SPY`, not a list");
    // YAML would read these as booleans and nothing.
    let kept = compile_with("endpoint: embedded\nsymbols: [ON, NO, Y]\n", &[]).expect("tickers");
    assert_eq!(kept.symbols.len(), 3);
}

#[test]
fn keys_of_the_broker_are_refused_and_never_repeated() {
    for lines in [
        "api_key: PKABCDEFGHIJKLMNOPQR\n",
        "alpaca:\n  APCA_API_SECRET_KEY: hunter2hunter2\n",
        "endpoints:\n  key_id: PKABCDEFGHIJKLMNOPQR\n",
        "colour: PKABCDEFGHIJKLMNOPQR\n",
    ] {
        let fault = only(lines);
        assert!(fault.2.contains("looks like a key of the broker"), "{fault:?}");
        assert!(fault.3.contains("APCA_API_KEY_ID") && fault.3.contains("replaced"), "{fault:?}");
        assert!(!fault.2.contains("PKABC") && !fault.2.contains("hunter2"), "{fault:?}");
    }
    let hidden = only("venue:\n  speed: PKABCDEFGHIJKLMNOPQR\n");
    assert_eq!(hidden.2, "`venue.speed` is `(hidden)`, not a number");
}

#[test]
fn settings_that_contradict_each_other_are_found() {
    assert!(
        only("feed:\n  backoff_first: 1m\n")
            .2
            .contains("`feed.backoff_first` is more than `feed.backoff_max`")
    );
    let fault = only("risk:\n  max_loss_per_trade_pct: 20\n");
    assert_eq!((fault.0, fault.1), (2, 27));
    assert!(only("entry:\n  after_open: 4h\n  before_close: 3h\n").3.contains("6h30m"));
    let fault = only("exit:\n  days_min: 30\n");
    assert!(fault.2.contains("`exit.days_min` is 30") && fault.3.starts_with("lower it to 25"), "{fault:?}");
    let thirty_one: Vec<String> = (0..31).map(|i| format!("S{i}")).collect();
    let found = faults(&format!("endpoint: embedded\nsymbols: [{}]\n", thirty_one.join(", ")));
    assert!(found[0].found.contains("names 31, but `feed.stock_symbols_max` allows 30"), "{found:?}");
}

#[test]
fn live_trading_is_not_an_address() {
    let fault = only("endpoints:\n  trading: https://api.alpaca.markets\n");
    assert!(fault.3.contains("paper-api.alpaca.markets"), "{fault:?}");
    let fault = only("endpoints:\n  stock_stream: ws://example.com\n");
    assert!(fault.3.contains("wss://"), "not in clear text over a network: {fault:?}");
    assert!(compile_with(&format!("{HEAD}endpoints:\n  trading: http://127.0.0.1:9999/\n"), &[]).is_ok());
}

#[test]
fn names_that_the_lists_lack_are_found() {
    assert_eq!(only("ensemble: swng\n").3, "did you mean `swing`?");
    assert_eq!(only("ensemble: momentum\n").3, "it has: scalp, intraday, swing, position, full");
    assert_eq!(only("structures: [iron_condro]\n").3, "did you mean `iron_condor`?");
}

#[test]
fn what_is_not_yaml_names_the_line() {
    let of = |text: &str| faults(text).remove(0);
    let broken = of("endpoint: embedded\nsymbols: [SPY\nrisk:\n");
    assert!(broken.found.starts_with("is not YAML") && broken.line >= 2, "{broken}");
    assert_eq!(of("").found, "is empty");
    assert_eq!(of("- a\n- b\n").found, "the file holds a list");
    assert_eq!(of("endpoint: &a embedded\n").found, "an anchor or a tag is not read here");
    assert_eq!(of("---\nendpoint: embedded\n---\na: b\n").found, "a second document is not read here");
    let deep = format!("endpoint: {}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(!of(&deep).found.is_empty());
}

#[test]
fn a_file_that_is_not_there_is_a_fault_with_a_remedy() {
    let found = faults(&format!("{HEAD}files:\n  fees: other.yaml\n"));
    assert_eq!((found.len(), found[0].file.as_path()), (1, Path::new("config/other.yaml")));
    assert!(found[0].found.starts_with("cannot be read"));
    let missing = load(Path::new("nowhere/wingspread.yaml")).expect_err("missing");
    assert!(missing.to_string().contains("--config FILE"), "{missing}");
}

/// The faults of one list file, as `line: found -> remedy`.
fn in_list(name: &str, text: &str) -> Vec<String> {
    let found = compile_with(HEAD, &[(name, text)]).expect_err("faulty").0;
    let of_file = found.into_iter().filter(|f| f.file.ends_with(name));
    of_file.map(|f| format!("{}:{}: {} -> {}", f.line, f.column, f.found, f.remedy)).collect()
}

#[test]
fn faults_of_structures_are_all_found() {
    let has = |from: &str, to: &str, part: &str| {
        let found = in_list("structures.yaml", &STRUCTURES.replacen(from, to, 1)).join("\n");
        assert!(found.contains(part), "{part}:\n{found}");
    };
    has(
        "target: 0.25",
        "target: 25",
        "`target` of `delta` of leg 1 (short_put) of structure 1 (bull_put_spread) is `25`, out of range",
    );
    has("from: short_put", "from: nobody", "name a leg that stands before it");
    has(
        "days: {min: 25, target: 38, max: 60}",
        "days: {min: 25, target: 8, max: 60}",
        "write 0 <= min <= target <= max",
    );
    has("days: {min: 25, target: 38, max: 60}", "days: {min: 25, max: 60}", "lacks `target`");
    has("view: bullish", "view: bulish", "did you mean `bullish`?");
    has("side: sell", "sied: sell", "did you mean `side`?");
    has("{delta: {target: 0.25, tolerance: 0.10}}", "{}", "needs one way");
    has("name: iron_condor", "name: bull_put_spread", "a second structure is called `bull_put_spread`");
    has("structures:\n", "structurs:\n", "there is no `structures`");
    has("{target: 45, tolerance: 20}", "{target: 45, tolerance: 50}", "is 50, more than the target 45");
    has("{target: 45, tolerance: 20}", "{target: 45, tolerance: 5, min: 3}", "gives a tolerance and bounds");
    has("{moneyness: {percent: 0, tolerance: 1}}", "{moneyness: {percent: 0}}", "lacks `tolerance`");
    has("{moves: {out: 1,", "{moves: {out: 1, up: 2,", "has no `up`");
    has("strikes: 1}", "strikes: 1, tolerance: 2}", "counts strikes and has a tolerance");
    has("dollars: -10, tolerance: 2}", "dollars: -10, percent: 2, tolerance: 2}", "needs one distance");
    has("right: stock}", "right: stock, pick: {delta: {target: 0.3, tolerance: 0.1}}}", "leave `pick` out");
    has("{after: near, ", "{after: far, ", "`far` expires after `far` -> name a leg that stands before it");
    has("{same_strike: near}", "{same_strike: naer}", "has the strike of `naer`");
    has("description: sell a call", "description: [a]\n    # sell", "is not a short text");
}

#[test]
fn a_fault_of_a_leg_names_its_own_line_and_all_are_told_at_once() {
    let text = "structures:\n  - name: mine\n    view: neutral\n    days: {target: 30, tolerance: 5}\n    reward_min: 0\n    legs:\n\
        \x20     - {name: a, side: sell, right: put, pick: {same_strike: b}}\n\
        \x20     - {name: a, side: buy, right: put, days: {same: c}, pick: {width: {from: z, strikes: 0}}}\n";
    let found = in_list("structures.yaml", text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(
        found[0],
        "7:9: structure 1 (mine): leg 1 `a` has the strike of `b` -> name a leg that stands before it"
    );
    assert!(found[1..].iter().all(|f| f.starts_with("8:9: structure 1 (mine): leg 2 ")), "{found:#?}");
}

#[test]
fn every_usual_structure_is_shipped() {
    let settings = compile_with(HEAD, &[]).expect("shipped");
    let wanted = [
        ("bull_put_spread", true),
        ("bear_call_spread", true),
        ("bull_call_spread", true),
        ("bear_put_spread", true),
        ("iron_condor", true),
        ("iron_butterfly", true),
        ("butterfly", true),
        ("broken_wing_butterfly", true),
        ("call_calendar", true),
        ("call_diagonal", true),
        ("double_diagonal", true),
        ("covered_call", false),
        ("protective_put", false),
        ("collar", false),
        ("cash_secured_put", true),
        ("long_straddle", false),
        ("short_straddle", false),
        ("long_strangle", false),
        ("short_strangle", false),
        ("call_ratio_spread", false),
        ("call_backspread", true),
        ("jade_lizard", false),
    ];
    let shipped: Vec<_> =
        settings.structures.iter().map(|s| (s.name.as_str(), s.tradeable().is_ok())).collect();
    assert_eq!(shipped, wanted);
    for s in &settings.structures {
        assert!(!s.description.is_empty(), "{}", s.name);
        let told = s.description.ends_with("(shown, not traded)");
        assert_eq!(told, s.tradeable().is_err(), "{} says whether it is traded", s.name);
    }
}

#[test]
fn the_example_of_the_documentation_can_be_copied() {
    let page = include_str!("../../../docs/structures.md");
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let files = [("structures.yaml", example)];
    let settings =
        compile_with(&format!("{HEAD}structures: [my_put_diagonal]\nexit:\n  days_min: 7\n"), &files);
    let settings = settings.unwrap_or_else(|faults| panic!("{faults}"));
    let [structure] = &settings.strategy.structures[..] else { panic!("one structure") };
    assert!(structure.has_many_expiries() && structure.tradeable().is_ok());
    assert_eq!((structure.span().min, structure.span().max), (14, 59));
}

#[test]
fn what_cannot_be_traded_is_refused_with_the_reason() {
    let with = |name: &str| only(&format!("structures: [bull_put_spread, {name}]\n"));
    let fault = with("covered_call");
    assert!(fault.2.contains("`structures` names `covered_call`, which cannot be traded"), "{fault:?}");
    assert!(
        fault.2.contains("its leg `shares` is stock") && fault.2.contains("option legs only"),
        "{fault:?}"
    );
    assert!(fault.3.contains("`wingspread structure covered_call SYMBOL` shows it"), "{fault:?}");
    assert!(with("jade_lizard").2.contains("nothing covers its short leg `short_put`"));
    assert!(with("long_straddle").2.contains("no forecast stands for"));
    let listed = "structures: [call_calendar, double_diagonal, butterfly, cash_secured_put]\n";
    assert!(compile_with(&format!("{HEAD}{listed}"), &[]).is_ok());
    // Held through its first expiry a calendar would be a long option alone.
    let held = format!("{listed}exit:\n  last_day_from: \"17:30\"\n");
    let fault = only(&held);
    assert!(fault.2.contains("`call_calendar` has legs that expire later"), "{fault:?}");
}

#[test]
fn everything_an_ensemble_can_say_is_read() {
    use forecast::ensemble::{Below, Member, Role, Rule};
    let more = "quorum: 0.75
    below: hold
    hold_for: 90s
    stack: blend
    symbols: [SPY]
    structures: [iron_condor]
    members:
      1min: {role: required, budget: 20us}
      5min: {every: 250ms, stale_after: 2s}
      15min: {role: observer}
    calibration: {kind: isotonic, knots: [[[0, 0.1], [1, 0.9]], [[0.5, 0.5]], [[0.25, 0.25]]]}";
    let text = ENSEMBLES.replacen("quorum: 0.75", more, 1).replacen("mean_of_logits", "stacked", 1);
    let settings = with_ensembles(&text).unwrap_or_else(|faults| panic!("{faults}"));
    let [ensemble] = settings.strategy.particular.as_slice() else { panic!("{:?}", settings.strategy) };
    assert_eq!((ensemble.rule, ensemble.below), (Rule::Stacked, Below::Hold(90_000_000_000)));
    assert_eq!(ensemble.stack, Some(market::Label::literal("blend")));
    assert_eq!((ensemble.symbols.len(), ensemble.structures.len()), (1, 1));
    let required = Member { role: Role::Required, budget_ns: Some(20_000), ..Member::VOICE };
    assert_eq!(ensemble.members[0], required);
    let slow = Member { every_ns: 250_000_000, stale_ns: Some(2_000_000_000), ..Member::VOICE };
    assert_eq!(ensemble.members[1], slow);
    assert_eq!((ensemble.members[2].role, ensemble.members[3]), (Role::Observer, Member::VOICE));
    let Some(forecast::Calibration::Isotonic { knots }) = &ensemble.calibration else {
        panic!("{ensemble:?}")
    };
    assert_eq!(knots[0], [[0.0, 0.1], [1.0, 0.9]]);
}

/// Settings of one symbol with other ensembles.
fn with_ensembles(text: &str) -> Result<Settings, Faults> {
    compile_with(HEAD, &[("ensembles.yaml", text)])
}

#[test]
fn ensembles_for_the_same_or_for_nothing_are_found() {
    let said = |text: &str| with_ensembles(text).expect_err("a fault").to_string();
    let unknown = ENSEMBLES.replacen("quorum: 0.75", "quorum: 0.75\n    structures: [iron_kondor]", 1);
    assert!(said(&unknown).contains("did you mean `iron_condor`?"));
    let one = ENSEMBLES.replacen("quorum: 0.75", "quorum: 0.75\n    symbols: [SPY]", 1);
    let both = one.replacen("quorum: 0.6", "quorum: 0.6\n    symbols: [QQQ, SPY]", 1);
    assert!(said(&both).contains("`scalp` and `intraday`"), "{}", said(&both));
    let apart = both.replacen("symbols: [SPY]", "symbols: [SPY]\n    structures: [iron_condor]", 1);
    assert_eq!(with_ensembles(&apart).map(|s| s.ensembles_in_use().len()).ok(), Some(3));
}

#[test]
fn faults_of_ensembles_and_fees_are_all_found() {
    let has = |name: &str, text: String, part: &str| {
        let found = in_list(name, &text).join("\n");
        assert!(found.contains(part), "{part}:\n{found}");
    };
    let ensembles = |from: &str, to: &str| ENSEMBLES.replacen(from, to, 1);
    has("ensembles.yaml", ensembles("1min: 3", "2min: 3"), "did you mean `1min`?");
    has("ensembles.yaml", ensembles("1min: 3", "1min: -3"), "is `-3`, out of range");
    has(
        "ensembles.yaml",
        ensembles("rule: mean_of_logits", "rule: mean"),
        "write one of: weighted_mean, mean_of_logits, by_skill, majority, stacked",
    );
    has(
        "ensembles.yaml",
        ensembles("weights: {1min: 3, 5min: 3, 15min: 2, 30min: 1}", "weights: {1min: 0}"),
        "at least one",
    );
    for (more, part) in [
        ("below: held", "did you mean `hold`?"),
        ("below: hold", "holds its last forecast for no time"),
        ("hold_for: 1m", "does not hold"),
        ("stack: blend", "belong together"),
        ("members: {2min: {role: voice}}", "did you mean `1min`?"),
        ("members: {1min: {rol: voice}}", "did you mean `role`?"),
        ("members: {1min: {budget: 2h}}", "out of range"),
        ("members: {1day: {role: required}}", "1day is required but has no weight"),
        ("members: {1min: {every: 2s, stale_after: 1s}}", "asked less often"),
        ("calibration: {kind: plat}", "did you mean `platt`?"),
        ("calibration: {kind: platt, slope: [1, 1], offset: [0, 0, 0]}", "has 2 numbers"),
        ("calibration: {kind: isotonic, knots: [[[0.5, 0.5]]]}", "there are 1 curves"),
        ("calibration: {kind: isotonic, knots: [[[0.5]], [[0.5, 0.5]], [[0.5, 0.5]]]}", "not two numbers"),
        ("calibration: {kind: isotonic, knots: [[[0.5, 2]], [[0.5, 0.5]], [[0.5, 0.5]]]}", "outside 0 to 1"),
        ("symbols: [SPY, SPY]", "names `SPY` twice"),
    ] {
        has("ensembles.yaml", ensembles("quorum: 0.75", &format!("quorum: 0.75\n    {more}")), part);
    }
    let fees = |from: &str, to: &str| FEES.replacen(from, to, 1);
    has("fees.yaml", fees("kind: orf", "kind: orff"), "did you mean `orf`?");
    has("fees.yaml", fees("rate_usd: 0.0000130", "rate_usd: 1.3e-5"), "not such an amount");
    has("fees.yaml", fees("from: 2026-07-01", "from: 2000-01-01"), "says the same as row");
    has(
        "fees.yaml",
        fees("on: [option, index_option]", "on: [options]"),
        "write a list of: stock, delivery, option, index_option",
    );
}

/// Compares a file made from the table, or writes it with `WINGSPREAD_BLESS=1`.
fn made(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("WINGSPREAD_BLESS").is_some() {
        std::fs::write(&path, text).expect("written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == text,
        "{name} is not what the table says: WINGSPREAD_BLESS=1 cargo test -p wingspread --lib settings"
    );
}

#[test]
fn the_schema_file_is_what_the_table_says() {
    let text = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
    made("config/wingspread.schema.json", &text);
    let text = serde_json::to_string_pretty(&structures_schema()).expect("JSON") + "\n";
    made("config/structures.schema.json", &text);
}

#[test]
fn the_documentation_is_what_the_table_says() {
    made("docs/configuration.md", &document());
}

/// Whatever a file looks like, it compiles or says why not: cut anywhere, a line lost, a character replaced.
#[test]
fn no_damage_to_a_file_is_fatal() {
    let main = include_str!("../../../config/wingspread.yaml");
    let files = [
        ("w.yaml", main),
        ("structures.yaml", STRUCTURES),
        ("ensembles.yaml", ENSEMBLES),
        ("fees.yaml", FEES),
    ];
    for (name, text) in files {
        let try_with = |damaged: &str| {
            let outcome = if name == "w.yaml" {
                compile_with(damaged, &[])
            } else {
                compile_with(HEAD, &[(name, damaged)])
            };
            if let Err(faults) = outcome {
                assert!(
                    !faults.0.is_empty() && faults.0.iter().all(|f| f.line >= 1 && f.column >= 1),
                    "{faults}"
                );
            }
        };
        let lines: Vec<&str> = text.lines().collect();
        for i in 0..lines.len() {
            let kept: Vec<&str> =
                lines.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, l)| *l).collect();
            try_with(&kept.join("\n"));
            let mut shifted = lines.clone();
            let moved = format!("   {}", lines[i]);
            shifted[i] = &moved;
            try_with(&shifted.join("\n"));
        }
        for at in (0..text.len()).step_by(131) {
            try_with(&text[..at]);
            for odd in ["\0", "-", ":", "{", "é", "9e99", "\"", "#"] {
                try_with(&format!("{}{odd}{}", &text[..at], &text[at + 1..]));
            }
        }
    }
}
