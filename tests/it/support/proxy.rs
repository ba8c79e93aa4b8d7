//! A proxy in front of a registry, which shows a page of its own when told so: for every path, whatever is behind it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

/// A running proxy, on a free loopback port. It stops when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    inside: Arc<Inside>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Inside {
    upstream: String,
    client: reqwest::Client,
    state: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    /// The status of the page that is shown instead of what is behind.
    page: Option<StatusCode>,
    /// The paths that the page was shown for.
    paths: Vec<String>,
}

impl Proxy {
    /// In front of `host`, which speaks plain http.
    pub(crate) fn start(host: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a loopback port");
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let inside = Arc::new(Inside { upstream: format!("http://{host}"), client, state: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address, inside, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Shows a page with this status from now on, for every path.
    pub(crate) fn show_page(&self, status: u16) {
        let mut state = self.inside.state.lock().unwrap();
        *state = Shown { page: Some(StatusCode::from_u16(status).unwrap()), paths: Vec::new() };
    }

    /// Lets everything through again.
    pub(crate) fn let_through(&self) {
        self.inside.state.lock().unwrap().page = None;
    }

    /// How often the page was shown for paths that start so.
    pub(crate) fn pages_shown(&self, path_prefix: &str) -> usize {
        let state = self.inside.state.lock().unwrap();
        state.paths.iter().filter(|path| path.starts_with(path_prefix)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the proxy's thread");
        }
    }
}

async fn answer(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    if let Some(status) = inside.page_for(request.uri().path()) {
        let page = "<html><body><h1>Back soon</h1></body></html>";
        return (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    }
    inside.forward(request).await.unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
}

impl Inside {
    fn page_for(&self, path: &str) -> Option<StatusCode> {
        let mut state = self.state.lock().unwrap();
        let status = state.page?;
        state.paths.push(path.to_owned());
        Some(status)
    }

    async fn forward(&self, request: Request) -> reqwest::Result<Response> {
        let (parts, _) = request.into_parts();
        assert!([Method::HEAD, Method::GET].contains(&parts.method), "nobody pushes through here");
        let mut headers = parts.headers;
        headers.remove(header::HOST);
        let asked = self.client.request(parts.method, format!("{}{}", self.upstream, parts.uri));
        let reply = asked.headers(headers).send().await?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = Body::from(reply.bytes().await?);
        Ok((status, headers, body).into_response())
    }
}
