//! The session against a made-up clock.

use super::*;

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) fn settings() -> SessionSettings {
    SessionSettings {
        connect_limit_ns: 5 * SECOND,
        answer_limit_ns: 10 * SECOND,
        ping_every_ns: 10 * SECOND,
        pong_limit_ns: 5 * SECOND,
        mute_ns: 60 * SECOND,
        backoff_first_ns: SECOND,
        backoff_max_ns: 30 * SECOND,
        login_repeats_max: 15,
        subscribe_chunk: 2,
        limits: PlanLimits { stock_symbols: Some(4), option_quotes: Some(3) },
        seed: 42,
    }
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn quotes(list: &[&str]) -> Channels {
    Channels { quotes: names(list), ..Channels::default() }
}

fn session(list: &[&str]) -> Session {
    let keys = Keys::new("id", "secret");
    Session::new(settings(), DataFeed::Stocks, Encoding::Json, keys, quotes(list)).expect("allowed")
}

fn todo(session: &mut Session) -> Vec<Todo> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn sent(list: &[Todo]) -> Vec<Action> {
    list.iter()
        .filter_map(|t| if let Todo::Send(b) = t { Action::decode(b, Encoding::Json).ok() } else { None })
        .collect()
}

fn ack() -> Control {
    Control::Subscription(Box::default())
}

/// Up to live at `now`, whatever came before.
fn bring_up(s: &mut Session, now: u64) -> Vec<Todo> {
    s.wake(now, true);
    s.connected(now);
    s.control(now, Control::Connected);
    s.control(now, Control::Authenticated);
    for _ in 0..8 {
        s.control(now, ack());
    }
    assert!(s.is_live());
    todo(s)
}

fn at(s: i64) -> Timestamp {
    Timestamp::from_seconds(s)
}

#[test]
fn logs_in_subscribes_in_chunks_and_goes_live() {
    let mut s = session(&["A", "B", "C"]);
    s.wake(0, true);
    assert_eq!(todo(&mut s), [Todo::Connect]);
    s.connected(1);
    assert_eq!(todo(&mut s), []);
    s.control(2, Control::Connected);
    assert_eq!(sent(&todo(&mut s)), [Action::Auth(Keys::new("id", "secret"))]);
    s.control(3, Control::Authenticated);
    let asked = sent(&todo(&mut s));
    assert_eq!(asked, [Action::Subscribe(quotes(&["A", "B"])), Action::Subscribe(quotes(&["C"]))]);
    s.control(4, ack());
    assert!(!s.is_live());
    s.control(5, ack());
    assert_eq!(todo(&mut s), [Todo::Tell(FeedState::Up, None)]);
}

#[test]
fn a_server_that_took_the_keys_from_the_upgrade() {
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.connected(0);
    s.control(0, Control::Connected);
    s.control(0, Control::Authenticated);
    s.control(0, Control::error(code::ALREADY_AUTHENTICATED));
    s.control(0, ack());
    assert!(s.is_live());
    assert_eq!(sent(&todo(&mut s)).len(), 2);
}

#[test]
fn plan_limits_are_typed_errors_and_change_nothing() {
    let keys = || Keys::new("id", "secret");
    let over = Session::new(
        settings(),
        DataFeed::Stocks,
        Encoding::Json,
        keys(),
        quotes(&["A", "B", "C", "D", "E"]),
    );
    let Err(error) = over else { panic!("over the limit") };
    assert_eq!(error, BadWish::OverLimit { what: "stock symbols", asked: 5, limit: 4 });
    assert!(error.to_string().contains("allows 4"));
    let options = |c| Session::new(settings(), DataFeed::Options, Encoding::MsgPack, keys(), c).err();
    assert_eq!(options(quotes(&["*"])), Some(BadWish::NoStar));
    let bars = Channels { bars: names(&["SPY"]), ..Channels::default() };
    assert_eq!(options(bars), Some(BadWish::NoSuchChannel("bars")));
    assert!(matches!(options(quotes(&["1", "2", "3", "4"])), Some(BadWish::OverLimit { limit: 3, .. })));
    let mut s = session(&["A"]);
    assert!(s.want(quotes(&["A", "B", "C", "D", "E"])).is_err());
    assert_eq!(s.wanted(), &quotes(&["A"]));
}

#[test]
fn changes_go_out_as_differences_and_survive_a_reconnect() {
    let mut s = session(&["A", "B"]);
    bring_up(&mut s, 0);
    s.want(quotes(&["B", "C"])).expect("allowed");
    let asked = sent(&todo(&mut s));
    assert_eq!(asked, [Action::Unsubscribe(quotes(&["A"])), Action::Subscribe(quotes(&["C"]))]);
    s.lost(SECOND, "reset");
    todo(&mut s);
    s.want(quotes(&["B", "C", "D"])).expect("allowed");
    assert_eq!(todo(&mut s), []);
    let asked = sent(&bring_up(&mut s, 10 * SECOND));
    assert_eq!(asked[1..], [Action::Subscribe(quotes(&["B", "C"])), Action::Subscribe(quotes(&["D"]))]);
}

#[test]
fn pings_and_drops_a_dead_connection() {
    let mut s = session(&["A"]);
    bring_up(&mut s, 0);
    assert_eq!(s.deadline_ns(), Some(10 * SECOND));
    s.wake(10 * SECOND, true);
    assert_eq!(todo(&mut s), [Todo::Ping]);
    assert_eq!(s.deadline_ns(), Some(15 * SECOND));
    s.heard();
    s.wake(20 * SECOND, true);
    assert_eq!(todo(&mut s), [Todo::Ping]);
    s.wake(25 * SECOND, true);
    let done = todo(&mut s);
    assert_eq!(done, [Todo::Drop, Todo::Complain(Complaint::Dead), Todo::Tell(FeedState::Down, None)]);
}

#[test]
fn mute_only_while_data_is_expected() {
    let mut s = session(&["A"]);
    bring_up(&mut s, 0);
    for t in (0..300).step_by(4) {
        s.heard();
        s.wake(t * SECOND, false);
    }
    assert!(s.is_live());
    todo(&mut s);
    let opens = 300 * SECOND;
    s.heard();
    s.wake(opens + 30 * SECOND, true);
    s.data(opens + 40 * SECOND, Some((at(1), at(2))));
    s.heard();
    s.wake(opens + 99 * SECOND, true);
    assert!(s.is_live());
    s.heard();
    todo(&mut s);
    s.wake(opens + 100 * SECOND, true);
    assert_eq!(todo(&mut s)[0], Todo::Tell(FeedState::Mute, None));
    assert!(!s.is_live());
}

#[test]
fn the_gap_is_named_once_by_the_stamps_around_it() {
    let mut s = session(&["A"]);
    bring_up(&mut s, 0);
    s.data(SECOND, Some((at(100), at(105))));
    s.data(SECOND, Some((at(103), at(104))));
    assert_eq!(todo(&mut s), []);
    s.lost(2 * SECOND, "reset");
    s.wake(10 * SECOND, true);
    s.lost(11 * SECOND, "refused");
    bring_up(&mut s, 60 * SECOND);
    s.data(61 * SECOND, Some((at(160), at(161))));
    assert_eq!(todo(&mut s), [Todo::Tell(FeedState::Up, Some((at(105), at(160))))]);
    s.data(62 * SECOND, Some((at(162), at(163))));
    assert_eq!(todo(&mut s), []);
}

#[test]
fn a_session_in_place_of_one_that_gave_up_names_the_gap_too() {
    let mut s = session(&["A"]).after(Some(at(105)));
    bring_up(&mut s, 0);
    s.data(SECOND, Some((at(160), at(161))));
    assert_eq!(todo(&mut s), [Todo::Tell(FeedState::Up, Some((at(105), at(160))))]);
    let mut fresh = session(&["A"]).after(None);
    bring_up(&mut fresh, 0);
    fresh.data(SECOND, Some((at(160), at(161))));
    assert_eq!(todo(&mut fresh), [], "nothing was heard before");
}

#[test]
fn backs_off_until_data_not_until_an_acknowledgement() {
    let mut s = session(&["A"]);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..7 {
        bring_up(&mut s, now);
        s.lost(now, "reset");
        let next = s.deadline_ns().expect("waiting");
        waits.push(next - now);
        now = next;
        todo(&mut s);
    }
    assert!(waits[5] >= 15 * SECOND && waits[5] <= 30 * SECOND, "{waits:?}");
    bring_up(&mut s, now);
    s.data(now, Some((at(1), at(1))));
    s.lost(now, "reset");
    assert!(s.deadline_ns().expect("waiting") - now <= SECOND);
}

#[test]
fn a_held_endpoint_is_tried_again_on_the_same_socket() {
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.connected(0);
    s.control(0, Control::Connected);
    todo(&mut s);
    let mut now = 0;
    for repeat in 1..=15u64 {
        s.control(now, Control::error(code::CONNECTION_LIMIT));
        assert!(!todo(&mut s).contains(&Todo::Drop));
        now += (repeat * SECOND / 2).min(5 * SECOND);
        s.heard();
        s.wake(now - 1, true);
        assert_eq!(sent(&todo(&mut s)), []);
        s.heard();
        s.wake(now, true);
        assert_eq!(sent(&todo(&mut s)), [Action::Auth(Keys::new("id", "secret"))]);
    }
    s.control(now, Control::error(code::CONNECTION_LIMIT));
    assert!(todo(&mut s).contains(&Todo::Drop));
}

#[test]
fn gives_up_where_trying_again_cannot_help() {
    for (code, word) in [(402, "keys"), (409, "plan"), (411, "token"), (412, "protocol")] {
        let mut s = session(&["A"]);
        s.wake(0, true);
        s.connected(0);
        s.control(0, Control::Connected);
        s.control(0, Control::error(code));
        let done = todo(&mut s);
        let Some(Todo::GiveUp(why)) = done.last() else { panic!("{code}: {done:?}") };
        assert!(why.to_string().contains(word), "{why}");
        assert!(s.is_over() && s.deadline_ns().is_none());
        s.wake(1, true);
        assert_eq!(todo(&mut s), []);
    }
}

#[test]
fn every_step_has_a_limit() {
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.wake(5 * SECOND, true);
    assert!(todo(&mut s).contains(&Todo::Complain(Complaint::TimedOut("connecting"))));
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.connected(0);
    s.wake(10 * SECOND, true);
    assert!(todo(&mut s).contains(&Todo::Complain(Complaint::TimedOut("waiting for its greeting"))));
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.connected(0);
    s.control(0, Control::Connected);
    s.control(0, Control::Authenticated);
    s.wake(10 * SECOND, true);
    assert!(todo(&mut s).contains(&Todo::Complain(Complaint::TimedOut("subscribing"))));
}

#[test]
fn a_refused_subscription_does_not_end_the_session() {
    let mut s = session(&["A"]);
    s.wake(0, true);
    s.connected(0);
    s.control(0, Control::Connected);
    s.control(0, Control::Authenticated);
    s.control(0, Control::error(code::SYMBOL_LIMIT));
    assert!(s.is_live());
    assert!(todo(&mut s).iter().any(|t| matches!(t, Todo::Complain(Complaint::Venue { code: 405, .. }))));
    s.stop();
    assert!(todo(&mut s).contains(&Todo::Drop) && s.is_over());
}
