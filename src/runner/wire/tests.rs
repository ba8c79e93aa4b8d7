use super::*;
use crate::controller::Failure;

async fn replies(bytes: &[u8]) -> (Vec<(Reply, Vec<u8>)>, WireError) {
    let mut incoming = Incoming::new(bytes);
    let mut replies = Vec::new();
    loop {
        match incoming.reply().await {
            Ok(reply) => replies.push(reply),
            Err(error) => return (replies, error),
        }
    }
}

#[tokio::test]
async fn what_is_said_is_what_is_heard() {
    let report = Report {
        outcome: Outcome::Failed(Failure::Exit(7)),
        images: Vec::new(),
        commit: None,
        tail: vec!["last \"words\"".into()],
        elapsed: Duration::from_millis(1500),
    };
    let words = [Reply::Accepted, Reply::Ended(Box::new(report)), Reply::Unknown];
    let mut said = Outgoing::new(Vec::new());
    said.reply(&words[0]).await.unwrap();
    said.output(5, b"two\nlines\n").await.unwrap();
    said.output(15, b"").await.unwrap();
    said.reply(&words[1]).await.unwrap();
    said.reply(&words[2]).await.unwrap();
    let (heard, end) = replies(&said.into_inner()).await;
    let output = |offset, bytes: &[u8]| (Reply::Output { offset, length: bytes.len() }, bytes.to_vec());
    let [accepted, ended, unknown] = words.map(|word| (word, Vec::new()));
    assert_eq!(heard, [accepted, output(5, b"two\nlines\n"), output(15, b""), ended, unknown]);
    assert!(matches!(end, WireError::Closed));
}

#[tokio::test]
async fn a_word_is_heard_however_it_is_cut_and_given_up() {
    let mut said = Outgoing::new(Vec::new());
    said.output(0, &[b'x'; 3000]).await.unwrap();
    said.reply(&Reply::Unknown).await.unwrap();
    let (ours, mut theirs) = tokio::io::duplex(7);
    let mut incoming = Incoming::new(ours);
    let sender = tokio::spawn(async move {
        for byte in said.into_inner() {
            theirs.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut heard = Vec::new();
    while heard.len() < 2 {
        // Given up again and again, wherever it is.
        tokio::select! {
            biased;
            reply = incoming.reply() => heard.push(reply.unwrap()),
            () = tokio::task::yield_now() => {}
        }
    }
    sender.await.unwrap();
    assert_eq!(heard[0].1, [b'x'; 3000]);
    assert_eq!(heard[1].0, Reply::Unknown);
}

#[tokio::test]
async fn garbage_is_told_as_such() {
    for garbage in
        ["nonsense\n", "\n", "{}\n", "\"cancelled\"\n", "{\"output\":{\"offset\":-1,\"length\":3}}\n"]
    {
        let (heard, error) = replies(garbage.as_bytes()).await;
        assert!(heard.is_empty() && matches!(error, WireError::Malformed(_)), "{garbage}: {error}");
    }
    let (_, error) = replies(b"\xff\xfe\n").await;
    assert!(matches!(error, WireError::Malformed(_)), "{error}");
    let (_, error) = replies(b"\"accepted\"").await;
    assert!(matches!(error, WireError::Closed), "a line without an end is none: {error}");
    let (_, error) = replies(b"{\"output\":{\"offset\":0,\"length\":10}}\nshort").await;
    assert!(matches!(error, WireError::Closed), "{error}");
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let long = vec![b'x'; REPLY_LIMIT + 1];
    assert!(matches!(replies(&long).await.1, WireError::TooLong(REPLY_LIMIT)));
    let piece = format!("{{\"output\":{{\"offset\":0,\"length\":{}}}}}\n", PIECE + 1);
    assert!(matches!(replies(piece.as_bytes()).await.1, WireError::TooLong(PIECE)));
    let long = vec![b'x'; HELLO_LIMIT + 1];
    assert!(matches!(Incoming::new(&long[..]).hello().await, Err(WireError::TooLong(HELLO_LIMIT))));
}

#[tokio::test]
async fn another_version_is_named_whatever_else_it_says() {
    let hello = b"{\"version\":2,\"and\":[\"more\"]}\n";
    let error = Incoming::new(&hello[..]).hello().await.unwrap_err();
    assert!(matches!(error, WireError::Version(2)));
    assert!(error.to_string().contains("version 2") && error.to_string().contains("version 1"), "{error}");
    let mut said = Outgoing::new(Vec::new());
    said.hello().await.unwrap();
    Incoming::new(&said.into_inner()[..]).hello().await.unwrap();
}
