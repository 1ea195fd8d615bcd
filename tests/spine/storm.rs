//! A storm of HTTP errors between engine and venue, on real sockets: every answer a venue in trouble gives, requests
//! that reach the venue although the client hears an error, connections dropped without an answer. Nothing is sent
//! twice, and when it is over the book is the venue's.

use super::office::{Office, Running};
use super::on_record;
use super::venue_dies::{paper, point_at, start_venue};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

/// Misfortunes that must have happened before the storm is over.
const MISFORTUNES: usize = 60;

#[test]
fn a_storm_of_errors_is_weathered() {
    let office = Office::open();
    let (venue, port) = start_venue(&office, "0");
    let weather = Arc::new(Weather::default());
    let proxy = Weather::over(&weather, &port);
    point_at(&office, &port);
    let settings = std::fs::read_to_string(office.path("wingspread.yaml")).expect("settings");
    let through = settings
        .replace(&format!("trading: http://127.0.0.1:{port}"), &format!("trading: http://127.0.0.1:{proxy}"));
    std::fs::write(office.path("wingspread.yaml"), through).expect("settings written");

    let mut engine = Running::start(paper(&office));
    engine.until("a fill on record", |_| (!on_record::fills(&office).is_empty()).then_some(()));
    weather.storm.store(true, SeqCst);
    engine.until("the storm, over orders too", |_| {
        let orders = weather.orders_hit.load(SeqCst) > 0;
        (orders && weather.misfortunes.load(SeqCst) >= MISFORTUNES).then_some(())
    });
    weather.storm.store(false, SeqCst);
    office.run(&["tell", "stop"]).well();
    let said = engine.wait().well();
    assert!(!said.contains("panicked") && !said.contains("book_differs"), "{said}");
    // What the storm left in doubt is settled at the latest at the next start: it compares book and venue first.
    let mut again = Running::start(paper(&office));
    again.until("book and venue agreeing", |e| e.said().contains("book_agrees").then_some(()));
    office.run(&["tell", "stop"]).well();
    let said = again.wait().well();
    assert!(!said.contains("panicked") && !said.contains("book_differs"), "{said}");
    // An order the venue said it does not know may be sent again under its own id: what counts is what it took.
    let at_venue = weather.accepted.lock().expect("not poisoned").clone();
    let mut once = at_venue.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), at_venue.len(), "the venue took an order twice: {at_venue:?}");
    drop(venue);
}

/// What a request meets in a storm.
#[derive(Clone, Copy)]
enum Misfortune {
    /// Not passed on; this status comes back.
    Refused(u16),
    /// Passed on, and then this status comes back.
    PassedOn(u16),
    /// The connection is closed without a word.
    Dropped,
}

/// In the order in which they strike, again and again; between them every third request has luck.
const MISFORTUNES_IN_TURN: [Misfortune; 12] = [
    Misfortune::Refused(500),
    Misfortune::PassedOn(504),
    Misfortune::Refused(429),
    Misfortune::Dropped,
    Misfortune::Refused(503),
    Misfortune::Refused(401),
    Misfortune::PassedOn(502),
    Misfortune::Refused(403),
    Misfortune::Refused(404),
    Misfortune::Dropped,
    Misfortune::Refused(422),
    Misfortune::PassedOn(500),
];

/// The weather on the way to the venue.
#[derive(Default)]
struct Weather {
    storm: AtomicBool,
    requests: AtomicUsize,
    misfortunes: AtomicUsize,
    orders_hit: AtomicUsize,
    /// Client ids of the orders the venue took, as often as it did.
    accepted: std::sync::Mutex<Vec<String>>,
}

impl Weather {
    /// Opens a door of its own in front of the venue's; answers its port.
    fn over(weather: &Arc<Self>, venue: &str) -> u16 {
        let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = door.local_addr().expect("bound").port();
        let (weather, venue) = (Arc::clone(weather), format!("127.0.0.1:{venue}"));
        thread::spawn(move || {
            for client in door.incoming().flatten() {
                let (weather, venue) = (Arc::clone(&weather), venue.clone());
                // One that breaks off is a client's or the venue's doing; the next comes on its own connection.
                thread::spawn(move || weather.one(client, &venue).ok());
            }
        });
        port
    }

    /// One request on one connection.
    fn one(&self, mut client: TcpStream, venue: &str) -> std::io::Result<()> {
        let request = request(&client)?;
        let misfortune = self.misfortune();
        if misfortune.is_some() && request.starts_with(b"POST /v2/orders") {
            self.orders_hit.fetch_add(1, SeqCst);
        }
        match misfortune {
            Some(Misfortune::Dropped) => return Ok(()),
            Some(Misfortune::Refused(status)) => return refuse(&mut client, status),
            Some(Misfortune::PassedOn(_)) | None => {}
        }
        let mut upstream = TcpStream::connect(venue)?;
        upstream.write_all(&request)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        self.note(&request, &answer);
        match misfortune {
            Some(Misfortune::PassedOn(status)) => refuse(&mut client, status),
            _ => client.write_all(&answer),
        }
    }

    fn misfortune(&self) -> Option<Misfortune> {
        let n = self.requests.fetch_add(1, SeqCst);
        if !self.storm.load(SeqCst) || n.is_multiple_of(3) {
            return None;
        }
        let nth = self.misfortunes.fetch_add(1, SeqCst);
        Some(MISFORTUNES_IN_TURN[nth % MISFORTUNES_IN_TURN.len()])
    }

    fn note(&self, request: &[u8], answer: &[u8]) {
        if !request.starts_with(b"POST /v2/orders") || !answer.starts_with(b"HTTP/1.1 200") {
            return;
        }
        let text = String::from_utf8_lossy(request);
        let (_, after) = text.split_once("\"client_order_id\":\"").expect("every order carries its id");
        let id = after.split('"').next().expect("split").to_string();
        self.accepted.lock().expect("not poisoned").push(id);
    }
}

/// One request, as it is to be passed on: the venue closes the connection after its answer.
fn request(client: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(bytes) = lower.strip_prefix("content-length:") {
            length = bytes.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            head.push_str("Connection: close\r\n\r\n");
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut request = head.into_bytes();
    let body = request.len();
    request.resize(body + length, 0);
    reader.read_exact(&mut request[body..])?;
    Ok(request)
}

fn refuse(client: &mut TcpStream, status: u16) -> std::io::Result<()> {
    let body = format!("{{\"code\":{status}00000,\"message\":\"the weather\"}}");
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status} Trouble\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\nRetry-After: 1\r\n\r\n{body}"
    )
}
