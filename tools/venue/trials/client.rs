//! A plain blocking client: sockets by tungstenite, REST by hand.

use alpaca::Keys;
use alpaca::control::{Action, Channels};
use alpaca::wire::Encoding;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

/// One socket.
pub struct Client {
    /// The socket itself.
    pub socket: WebSocket<TcpStream>,
    encoding: Encoding,
}

impl Client {
    /// Connects; msgpack says so in the upgrade request.
    pub fn connect(url: &str, encoding: Encoding) -> Self {
        let mut request = url.into_client_request().expect("a URL");
        if encoding == Encoding::MsgPack {
            request.headers_mut().insert("Content-Type", "application/msgpack".parse().expect("a header"));
        }
        let address = request.uri().authority().expect("an address").to_string();
        let stream = TcpStream::connect(address).expect("the venue listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
        let (socket, _) = tokio_tungstenite::tungstenite::client(request, stream).expect("an upgrade");
        Self { socket, encoding }
    }

    /// Connects, reads the greeting and logs in.
    pub fn logged_in(url: &str, encoding: Encoding) -> Self {
        let mut client = Self::connect(url, encoding);
        assert_eq!(client.hear()[0]["msg"], "connected");
        client.act(&Action::Auth(Keys::new("SIMKEY", "SIMSECRET")));
        assert_eq!(client.hear()[0]["msg"], "authenticated");
        client
    }

    /// Sends an action.
    pub fn act(&mut self, action: &Action) {
        let bytes = action.encode(self.encoding);
        self.say(bytes);
    }

    /// Sends a message.
    pub fn say(&mut self, bytes: Vec<u8>) {
        let message = match self.encoding {
            Encoding::Json => Message::text(String::from_utf8(bytes).expect("JSON")),
            Encoding::MsgPack => Message::binary(bytes),
        };
        self.socket.send(message).expect("an open socket");
    }

    /// Sends a binary message in two frames, as the SDK does.
    pub fn say_in_two(&mut self, bytes: Vec<u8>) {
        let first = Frame::message(bytes, OpCode::Data(Data::Binary), false);
        let last = Frame::message(Vec::new(), OpCode::Data(Data::Continue), true);
        for mut frame in [first, last] {
            let header: &mut FrameHeader = frame.header_mut();
            header.mask = None;
            self.socket.send(Message::Frame(frame)).expect("an open socket");
        }
    }

    /// Subscribes and reads the acknowledgement (data may come before it).
    pub fn subscribe(&mut self, channels: Channels) -> Value {
        self.act(&Action::Subscribe(channels));
        loop {
            if let Some(ack) = self.hear().into_iter().find(|m| m["T"] == "subscription") {
                return ack;
            }
        }
    }

    /// The next data frame as values.
    pub fn hear(&mut self) -> Vec<Value> {
        self.try_hear().expect("a message")
    }

    /// The next data frame; `Err` at the end of the connection.
    pub fn try_hear(&mut self) -> Result<Vec<Value>, Error> {
        loop {
            let value = match self.socket.read()? {
                Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
                Message::Binary(bytes) if self.encoding == Encoding::MsgPack => {
                    alpaca::msgpack::to_value(&bytes).expect("MessagePack")
                }
                Message::Binary(bytes) => serde_json::from_slice(&bytes).expect("JSON"),
                Message::Close(_) => return Err(Error::ConnectionClosed),
                // Pings are answered while reading; the answer has to leave.
                _ => {
                    let _ = self.socket.flush();
                    continue;
                }
            };
            return Ok(match value {
                Value::Array(items) => items,
                single => vec![single],
            });
        }
    }

    /// The next error code.
    pub fn error(&mut self) -> u64 {
        loop {
            if let Some(error) = self.hear().into_iter().find(|m| m["T"] == "error") {
                return error["code"].as_u64().expect("a code");
            }
        }
    }
}

/// An HTTP answer.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body; null when there is none.
    pub body: Value,
}

/// One REST request with the right keys.
pub fn request(address: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Answer {
    request_as(address, method, path, body, Some(("SIMKEY", "SIMSECRET")))
}

/// One REST request with the given keys.
pub fn request_as(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
    keys: Option<(&str, &str)>,
) -> Answer {
    let text = body.map(Value::to_string).unwrap_or_default();
    let keys = keys.map_or(String::new(), |(key, secret)| {
        format!("APCA-API-KEY-ID: {key}\r\nAPCA-API-SECRET-KEY: {secret}\r\n")
    });
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n{keys}Content-Length: {}\r\n\r\n",
        text.len()
    );
    let mut stream = TcpStream::connect(address).expect("the venue listens");
    stream.write_all((head + &text).as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Answer { status, head: head.to_ascii_lowercase(), body }
}
