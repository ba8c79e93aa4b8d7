//! The same HEADs with nothing around them: what any program in Rust has to pay for them. A process of its own.

use std::cell::{Cell, RefCell};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, Request, Url};
use tokio::time::{Instant, sleep_until};

use super::CONNECTIONS;
use super::child::{Answerer, answer_lines};
use super::daemon::image;

/// HEADs that follow one another, as in a cohort of the daemon's, which has 20 tags at most and more than 10 mostly.
const ROW: usize = 16;

/// What the daemon asks for, in its order.
const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The loop's process, as others see it.
pub(crate) struct Bare(Answerer);

impl Bare {
    pub(crate) fn start(host: &str, tags: usize) -> anyhow::Result<Self> {
        Ok(Self(Answerer::start(&["bare", host, &tags.to_string()])?))
    }

    /// The loop under another program, which runs what follows its own arguments.
    pub(crate) fn start_under(mut other: Command, host: &str, tags: usize) -> anyhow::Result<Self> {
        other.arg(std::env::current_exe().context("find this program")?);
        other.args(["bare", host, &tags.to_string()]);
        Ok(Self(Answerer::start_as(&mut other)?))
    }

    /// Sends so many HEADs, at most so many a second, and waits for all answers.
    pub(crate) fn send(&mut self, heads: u64, rate: usize) -> anyhow::Result<()> {
        let answer = self.0.ask(&format!("{heads} {rate}"))?;
        anyhow::ensure!(answer == "done", "the bare loop answered {answer}");
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.0.finish()
    }
}

/// The loop's process: sends as many HEADs as each line says, at most at the rate that it says.
pub(crate) fn serve(host: &str, tags: &str) -> anyhow::Result<()> {
    let url = |number| Url::parse(&format!("http://{host}/v2/{}/manifests/1", image(number)));
    let urls: Vec<Url> = (0..tags.parse()?).map(url).collect::<Result<_, _>>()?;
    let headers = headers();
    let client = Client::builder().no_proxy().pool_max_idle_per_host(CONNECTIONS).build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut next = urls.iter().cycle();
    answer_lines(|line| {
        let (heads, rate) = line.split_once(' ').context("how many, and at which rate?")?;
        let urls: Vec<&Url> = next.by_ref().take(heads.parse()?).collect();
        let gap = Duration::from_secs_f64(ROW as f64 / rate.parse::<f64>()?);
        runtime.block_on(send(&client, &headers, &urls, gap))?;
        Ok("done".to_owned())
    })
}

/// Each connection sends row after row, its HEADs one after the other, and no row before its time.
async fn send(client: &Client, headers: &HeaderMap, urls: &[&Url], gap: Duration) -> anyhow::Result<()> {
    let rows = RefCell::new(urls.chunks(ROW));
    let due = Cell::new(Instant::now());
    let take = || {
        let row = rows.borrow_mut().next()?;
        Some((row, due.replace(due.get() + gap)))
    };
    let connections = (0..CONNECTIONS).map(|_| async {
        while let Some((row, due)) = take() {
            if due > Instant::now() {
                sleep_until(due).await;
            }
            for url in row {
                ask(client, headers, url).await?;
            }
        }
        Ok(())
    });
    try_join_all(connections).await.map(drop)
}

async fn ask(client: &Client, headers: &HeaderMap, url: &Url) -> anyhow::Result<()> {
    let mut request = Request::new(Method::HEAD, url.clone());
    *request.headers_mut() = headers.clone();
    let response = client.execute(request).await?;
    let digest = response.headers().get("docker-content-digest");
    anyhow::ensure!(digest.is_some(), "{url} has no digest");
    Ok(())
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for media_type in ACCEPTED {
        headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("basewatch/", env!("CARGO_PKG_VERSION"))));
    headers
}
