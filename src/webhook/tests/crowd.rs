//! The listener among many callers from many addresses, over connections that are no more than memory: time passes only
//! while everybody waits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::support::{hex, hooks, made, sign};
use crate::webhook::Call;
use crate::webhook::server::{LONGEST_BODY, serve_on};

const PATH: &str = "/apis/build.openshift.io/v1/namespaces/default/buildconfigs/app/webhooks";
const JSON: &str = "Content-Type: application/json";

/// Where connections come from.
struct Door(mpsc::UnboundedReceiver<(DuplexStream, SocketAddr)>);

impl axum::serve::Listener for Door {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(came) => came,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([10, 0, 0, 1], 80).into())
    }
}

/// A server whose daemon makes whatever is asked for.
struct Crowd {
    door: mpsc::UnboundedSender<(DuplexStream, SocketAddr)>,
    _dir: TempDir,
}

impl Crowd {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (_, known) = watch::channel(Arc::new(hooks(&dir)));
        let (calls, mut asked) = mpsc::channel::<Call>(8);
        tokio::spawn(async move {
            while let Some(call) = asked.recv().await {
                let made = made(&call);
                drop(call.reply.send(Ok((made, None))));
            }
        });
        let (door, came) = mpsc::unbounded_channel();
        tokio::spawn(serve_on(Door(came), known, calls, std::future::pending()));
        Self { door, _dir: dir }
    }

    /// Says `text` from an address, and keeps the connection.
    async fn begin(&self, from: [u8; 4], text: &str) -> DuplexStream {
        let (mut ours, theirs) = tokio::io::duplex(16 * 1024 * 1024);
        self.door.send((theirs, (from, 1).into())).unwrap();
        ours.write_all(text.as_bytes()).await.unwrap();
        ours
    }

    /// The code of the answer to a call that needs no more than its secret, and how long it took.
    async fn ask(&self, from: [u8; 4]) -> (u16, Duration) {
        let begun = Instant::now();
        let text = post("generic-s3cret/generic", JSON, 0) + "\r\n";
        let code = heard(self.begin(from, &text).await).await;
        (code, begun.elapsed())
    }
}

/// A head but for the empty line at its end.
fn post(rest: &str, header: &str, length: usize) -> String {
    format!("POST {PATH}/{rest} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{header}\r\n")
}

/// The code of the answer; none at all is 0.
async fn heard(mut stream: DuplexStream) -> u16 {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).map_or(0, |code| code.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_address_has_a_share_of_the_places_and_what_is_beyond_is_closed() {
    let crowd = Crowd::new();
    let mut greedy = Vec::new();
    for _ in 0..70 {
        greedy.push(crowd.begin([10, 0, 0, 2], "P").await);
    }
    assert_eq!(crowd.ask([10, 0, 0, 3]).await, (200, Duration::ZERO));
    assert_eq!(heard(greedy.pop().unwrap()).await, 0);
    // The share is free again once what holds it has gone.
    greedy.clear();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(crowd.ask([10, 0, 0, 2]).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_proxy_on_this_machine_has_no_share() {
    let crowd = Crowd::new();
    let mut busy = Vec::new();
    for _ in 0..63 {
        busy.push(crowd.begin([127, 0, 0, 1], "P").await);
    }
    assert_eq!(crowd.ask([127, 0, 0, 1]).await, (200, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_the_head_keeps_a_place_for_no_longer_than_a_head_may_take() {
    let crowd = Crowd::new();
    let head = post("generic-s3cret/generic", JSON, 0);
    let mut slow = Vec::new();
    for number in 0..64 {
        let said = ["", "P", "\r\n\r\nPOST", &head][usize::from(number) % 4];
        slow.push(crowd.begin([10, 0, 1, number], said).await);
    }
    let (code, waited) = crowd.ask([10, 0, 0, 3]).await;
    assert_eq!(code, 200);
    assert!(waited <= Duration::from_secs(6), "{waited:?}");
}

/// A signed push whose signature is that of its body, but for the last bytes of it.
fn signed(body: &str, said: usize) -> String {
    let header =
        format!("{JSON}\r\nX-Hub-Signature-256: sha256={}", hex(&sign("generic-s3cret", body.as_bytes())));
    post("generic", &header, body.len()) + "\r\n" + &body[..said]
}

#[tokio::test(start_paused = true)]
async fn strangers_who_dawdle_keep_no_signed_call_waiting() {
    let crowd = Crowd::new();
    // More than there is room for.
    let long = " ".repeat(LONGEST_BODY);
    let mut dawdling = Vec::new();
    for number in 0..24 {
        let said = [1, long.len() - 1][usize::from(number) % 2];
        dawdling.push(crowd.begin([10, 0, 1, number], &signed(&long, said)).await);
    }
    let begun = Instant::now();
    assert_eq!(heard(crowd.begin([10, 0, 0, 3], &signed("{}", 2)).await).await, 200);
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(heard(dawdling.remove(0)).await, 408);
}

#[tokio::test(start_paused = true)]
async fn of_one_address_two_bodies_are_read_before_they_are_proved_and_the_next_has_its_whole_time() {
    let crowd = Crowd::new();
    let mut dawdling = Vec::new();
    for _ in 0..2 {
        dawdling.push(crowd.begin([10, 0, 0, 2], &signed("{}", 1)).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let mut third = crowd.begin([10, 0, 0, 2], &signed("{}", 1)).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    third.write_all(b"}").await.unwrap();
    assert_eq!(heard(third).await, 200);
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
    for stream in dawdling {
        assert_eq!(heard(stream).await, 408);
    }
}
