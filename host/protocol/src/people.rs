//! Answers as a few lines for a person with `nc -U` and no `jq`.

use std::fmt::Write as _;

use crate::{
    AttestAnswer, Decision, HealthAnswer, Outcome, Problem, WatchEvent, WhoamiAnswer, You,
    frame::is_harmful,
};

/// A table of a word and a text to a line; the text is made harmless here and nowhere else.
struct Lines(String);

impl Lines {
    fn new() -> Self {
        Self(String::with_capacity(256))
    }

    fn line(&mut self, word: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{word:<9} ");
        for c in text.chars() {
            if is_harmful(c) { self.0.extend(c.escape_unicode()) } else { self.0.push(c) }
        }
        self.0.truncate(self.0.trim_end_matches(' ').len());
        self.0.push('\n');
    }
}

fn you(you: &You) -> String {
    let mut text = format!("pid {}, uid {}", you.pid, you.uid);
    if let Some(user) = &you.user {
        let _ = write!(text, " ({user})");
    }
    if let Some(gid) = you.gid {
        let _ = write!(text, ", gid {gid}");
    }
    let container = you.container.as_ref().map(|id| format!("container {id}"));
    for part in [you.exe.clone(), you.unit.clone(), container].into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&part);
    }
    text
}

/// Whom it is about, and who asked where that is another.
fn about(lines: &mut Lines, who: &You, broker: Option<&You>) {
    match broker {
        Some(broker) => {
            lines.line("broker", &format!("{} asked about", you(broker)));
            lines.line("process", &you(who));
        }
        None => lines.line("you", &you(who)),
    }
}

impl AttestAnswer {
    /// The answer in a few lines, each with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        let mut lines = Lines::new();
        let mut word = "allow";
        for identity in &self.identities {
            lines.line(word, &format!("{} until {}", identity.id, identity.expires_at));
            word = "";
        }
        about(&mut lines, &self.you, self.broker.as_ref());
        lines.line("why", &format!("witgate why {}", self.decision_id));
        lines.0
    }
}

impl Problem {
    /// The problem in a few lines, each with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        let mut lines = Lines::new();
        let word = match self.decision {
            Some(Decision::Deny) => "deny",
            Some(_) => "unavail.",
            None => "error",
        };
        lines.line(word, &format!("{}: {}", self.reason, self.detail));
        if let Some(seconds) = self.retry_after_seconds {
            lines.line("retry", &format!("in {seconds} s"));
        }
        if let Some(who) = &self.you {
            about(&mut lines, who, self.broker.as_deref());
        }
        if let Some(help) = &self.help {
            lines.line("help", help);
        }
        lines.0
    }
}

impl Outcome {
    /// Either in a few lines, each with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        match self {
            Self::Allow(answer) => answer.for_people(),
            Self::Refuse(problem) => problem.for_people(),
        }
    }
}

impl WhoamiAnswer {
    /// The answer in a few lines, each with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        let mut lines = Lines::new();
        lines.line("you", &you(&self.you));
        let groups: Vec<_> = self.groups.iter().map(ToString::to_string).collect();
        lines.line("groups", &groups.join(" "));
        if let Some(label) = &self.label {
            lines.line("label", label);
        }
        for cgroup in &self.cgroups {
            let colon = if cgroup.controllers.is_empty() { "" } else { ":" };
            lines.line("cgroup", &format!("{}{colon}{}", cgroup.controllers, cgroup.path));
        }
        lines.line("tier", &self.tier);
        lines.0
    }
}

impl HealthAnswer {
    /// The answer in one line, with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        let mut lines = Lines::new();
        let word = if self.ready { "ready" } else { "not ready" };
        lines.line(word, &format!("witgate {}", self.version));
        lines.0
    }
}

impl WatchEvent {
    /// The event in a few lines, each with a line feed.
    #[must_use]
    pub fn for_people(&self) -> String {
        match self {
            Self::Decision { outcome, .. } | Self::Changed { outcome, .. } => outcome.for_people(),
            Self::Ended { reason, .. } => {
                let mut lines = Lines::new();
                lines.line("ended", &format!("{reason}: {}", reason.sentence()));
                lines.0
            }
        }
    }
}
