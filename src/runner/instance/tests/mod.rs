mod build;
mod disk;
mod talk;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::super::private::Private;
use super::super::tests::{eventually, script};
use super::super::wire::{Outgoing, Reply};
use super::spool::Spool;
use super::*;
use crate::controller::{BuildSpec, Outcome};

/// A runner, without what starts its instances.
struct Place {
    dir: TempDir,
    stop: watch::Sender<bool>,
}

/// A daemon's side of a connection, and the instance at its other end.
struct Talk {
    line: Line,
    instance: JoinHandle<Result<(), InstanceError>>,
}

impl Place {
    fn new() -> Self {
        Self { dir: TempDir::new().unwrap(), stop: watch::Sender::new(false) }
    }

    fn options(&self) -> Options {
        Options {
            state_dir: self.dir.path().to_owned(),
            runtime_dir: None,
            own_cgroup: false,
            inherited: vec![("PATH".into(), "/usr/bin:/bin".into())],
        }
    }

    fn instance(&self, connection: StdStream) -> JoinHandle<Result<(), InstanceError>> {
        tokio::spawn(run(connection, self.options(), self.stop.subscribe()))
    }

    async fn ask(&self, request: Request) -> Talk {
        let (ours, theirs) = StdStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        line.outgoing.hello().await.unwrap();
        let instance = self.instance(theirs);
        line.incoming.hello().await.unwrap();
        line.outgoing.request(&request).await.unwrap();
        Talk { line, instance }
    }

    async fn start(&self, spec: &BuildSpec, attempt: u32) -> Talk {
        self.ask(start(spec, attempt)).await
    }

    async fn attach(&self, spec: &BuildSpec, attempt: u32, offset: u64) -> Talk {
        let attach = Attach { id: spec.id, build: spec.build.clone(), attempt, offset };
        self.ask(Request::Attach(attach)).await
    }

    fn directory(&self, id: Uuid) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    fn spool(&self, id: Uuid) -> PathBuf {
        spool::dir(self.dir.path(), id)
    }
}

impl Talk {
    async fn next(&mut self) -> (Reply, Vec<u8>) {
        timeout(Duration::from_secs(60), self.line.incoming.reply())
            .await
            .expect("an answer in time")
            .unwrap()
    }

    async fn answer(&mut self) -> Reply {
        self.next().await.0
    }

    async fn refusal(&mut self) -> String {
        let Reply::Refused { reason } = self.answer().await else { panic!("it was not refused") };
        reason.into()
    }

    /// Everything until the end, and how that was.
    async fn end(&mut self) -> (String, Outcome) {
        let mut output = Vec::new();
        loop {
            match self.next().await {
                (Reply::Accepted, _) => {}
                (Reply::Output { .. }, bytes) => output.extend(bytes),
                (Reply::Ended(report), _) => return (String::from_utf8(output).unwrap(), report.outcome),
                (other @ (Reply::Unknown | Reply::Refused { .. }), _) => panic!("{other:?}"),
            }
        }
    }

    async fn acknowledge(mut self) {
        self.line.outgoing.request(&Request::Acknowledge).await.unwrap();
        self.line.incoming.end().await;
        self.instance.await.unwrap().unwrap();
    }
}

fn start(spec: &BuildSpec, attempt: u32) -> Request {
    let private = Private::default();
    Request::Start(Box::new(Start { spec: spec.clone(), attempt, log_limit: 1 << 30, private }))
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}
