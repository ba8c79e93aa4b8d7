//! What builds of images need: a registry, a store of images of their own, builders that make images to start from, and
//! git repositories.
//!
//! Nothing of it is the user's own: home, storage and settings of buildah and git are below a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use basewatch::image::Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::RealRegistry;
use super::daemon::{Daemon, Home};
use super::process::output_of;

/// A place to build images in.
pub(crate) struct Workshop {
    pub(crate) registry: RealRegistry,
    pub(crate) home: Home,
    dir: TempDir,
}

/// A git repository that builds fetch from, and a checkout of it to commit in.
pub(crate) struct Repository {
    checkout: PathBuf,
    bare: PathBuf,
    home: PathBuf,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let containers = dir.path().join("home/.config/containers");
        fs::create_dir_all(&containers).unwrap();
        let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        fs::write(containers.join("policy.json"), policy).unwrap();
        for store in ["builds", "maker"] {
            let root = dir.path().join(store);
            let text = format!(
                "[storage]\ndriver = \"vfs\"\ngraphroot = {:?}\nrunroot = {:?}\n",
                root.join("graph"),
                root.join("run")
            );
            fs::write(dir.path().join(format!("{store}.conf")), text).unwrap();
        }
        fs::create_dir(dir.path().join("run")).unwrap();
        Self { registry: RealRegistry::plain(), home: Home::new(""), dir }
    }

    /// The head of a configuration: the registry, which speaks plain http, and how often it is asked.
    pub(crate) fn configure(&self, rest: &str) {
        let host = self.registry.host();
        let head = format!(
            "[defaults]\nsystem_registry = \"{host}\"\ninterval = \"100ms\"\n\n[[registry]]\nhost = \"{host}\"\ninsecure = true\n"
        );
        self.home.configure(&format!("{head}\n{}", rest.replace("HOST", host)));
    }

    /// A daemon whose builds have a store of their own.
    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    pub(crate) fn start_with(&self, more: &[(&str, &str)]) -> Daemon {
        let environment = self.environment("builds");
        let mut all: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(more);
        self.home.start_with(&[], &all)
    }

    /// Makes an image of busybox, with a shell, and what the Containerfile says besides; answers with its digest.
    pub(crate) fn make(&self, image: &str, containerfile: &str, files: &[(&str, &str)]) -> Digest {
        let context = TempDir::new().unwrap();
        fs::copy("/bin/busybox", context.path().join("busybox"))
            .expect("`make tools` fetches busybox-static");
        for (name, text) in files {
            fs::write(context.path().join(name), text).unwrap();
        }
        let text = format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n{containerfile}"
        );
        fs::write(context.path().join("Containerfile"), text).unwrap();
        let name = format!("{}/{image}", self.registry.host());
        let digest = context.path().join("digest");
        output_of(self.maker().args(["build", "--quiet", "--tag", &name]).arg(context.path()));
        output_of(
            self.maker()
                .args(["push", "--quiet", "--tls-verify=false", "--digestfile"])
                .arg(&digest)
                .arg(&name),
        );
        fs::read_to_string(digest).unwrap().trim().parse().unwrap()
    }

    /// The configuration of an image, as skopeo reads it from the registry.
    pub(crate) fn config(&self, image: &str) -> Value {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "inspect", "--config", "--tls-verify=false"]);
        skopeo.arg(format!("docker://{}/{image}", self.registry.host()));
        serde_json::from_slice(&output_of(&mut skopeo)).unwrap()
    }

    /// A file of an image.
    pub(crate) fn file(&self, image: &str, path: &str) -> String {
        self.run_in(image, &["cat", path])
    }

    fn run_in(&self, image: &str, words: &[&str]) -> String {
        let name = format!("{}/{image}", self.registry.host());
        let id =
            output_of(self.maker().args(["from", "--quiet", "--pull-always", "--tls-verify=false", &name]));
        let id = String::from_utf8(id).unwrap();
        let text = output_of(self.maker().args(["run", id.trim(), "--", "/bin/busybox"]).args(words));
        output_of(self.maker().args(["rm", id.trim()]));
        String::from_utf8(text).unwrap()
    }

    /// Whether an image has a file.
    pub(crate) fn has(&self, image: &str, path: &str) -> bool {
        let (dir, _) = path.rsplit_once('/').unwrap();
        let listed = self.run_in(image, &["find", dir]);
        assert!(listed.lines().count() > 1, "{dir} is empty, so that it shows nothing: {listed}");
        listed.lines().any(|line| line == path)
    }

    /// An empty repository.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let at = |kind: &str| self.dir.path().join(format!("{name}{kind}"));
        let repository =
            Repository { checkout: at(""), bare: at(".git"), home: self.dir.path().join("home") };
        output_of(repository.plain_git().args(["init", "--quiet", "--bare"]).arg(&repository.bare));
        let init = ["init", "--quiet", "--initial-branch=main"];
        output_of(repository.plain_git().args(init).arg(&repository.checkout));
        repository
    }

    /// Another directory, for a test's own files.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// What the build printed.
    pub(crate) fn log(&self, build: &str) -> String {
        let file = self.home.state().join("builds/default").join(build).join("log");
        fs::read_to_string(file).unwrap_or_default()
    }

    /// The end of a build, which must be Complete.
    pub(crate) fn complete(&self, daemon: &Daemon, build: &str) -> Value {
        let ended = self.ended(daemon, build);
        assert_eq!(ended["phase"], "Complete", "{ended}\n{}", self.log(build));
        self.home.ask(&["build", "show", build])
    }

    pub(crate) fn ended(&self, daemon: &Daemon, build: &str) -> Value {
        daemon.wait_until(&format!("the end of {build}"), |events| {
            let name = format!("default/{build}");
            let ended = |event: &&Value| event["event"] == "build_finished" && event["build"] == *name;
            events.iter().find(ended).cloned()
        })
    }

    /// The names of the images in the builds' store.
    pub(crate) fn images(&self) -> Vec<String> {
        let mut buildah = Command::new("buildah");
        let list = ["images", "--noheading", "--all", "--format", "{{.Name}}:{{.Tag}}"];
        let listed = output_of(buildah.envs(self.environment("builds")).args(list));
        String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect()
    }

    fn maker(&self) -> Command {
        let mut buildah = Command::new("buildah");
        buildah.envs(self.environment("maker"));
        buildah
    }

    fn environment(&self, store: &str) -> [(&'static str, String); 4] {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        [
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("CONTAINERS_STORAGE_CONF", path(&format!("{store}.conf"))),
            ("BUILDAH_ISOLATION", "chroot".to_owned()),
        ]
    }
}

impl Repository {
    /// Commits these files, besides those that are there, and publishes the branch; answers with the commit.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.checkout.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=change"]);
        self.git(&["push", "--quiet", self.bare.to_str().unwrap(), "main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Where builds fetch from.
    pub(crate) fn uri(&self) -> String {
        format!("file://{}", self.bare.display())
    }

    pub(crate) fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// Runs git in the checkout.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let printed = output_of(self.plain_git().arg("-C").arg(&self.checkout).args(arguments));
        String::from_utf8(printed).unwrap().trim().to_owned()
    }

    fn plain_git(&self) -> Command {
        let mut git = Command::new("git");
        let names = ["AUTHOR", "COMMITTER"];
        git.envs(names.map(|who| (format!("GIT_{who}_NAME"), "Ada")));
        git.envs(names.map(|who| (format!("GIT_{who}_EMAIL"), "ada@example.com")));
        git.env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }
}
