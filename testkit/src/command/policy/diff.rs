//! `mock-tenant policy diff`.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::json;

use super::{accept::Accepted, change::Changes, source};
use crate::{
    args::{DiffArgs, Format},
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

/// Prints what changed, and fails if anything became weaker that is not accepted.
pub(crate) fn diff(args: &DiffArgs) -> Result<(), Failure> {
    if (args.old.as_str(), args.new.as_str()) == ("-", "-") {
        return Err(Failure::usage("only one of the documents can be standard input"));
    }
    let old = source::read(&args.old, args.groups_match_all)?;
    let new = source::read(&args.new, args.groups_match_all)?;
    let accepted = args.accept.as_deref().map(Accepted::load).transpose()?.unwrap_or_default();
    let verdict = Verdict::of(Changes::between(&old, &new), &accepted);
    print(&match args.format {
        Format::Text => verdict.text(args),
        Format::Json => verdict.json(),
    })?;
    match verdict.open.is_empty() {
        true => Ok(()),
        false => Err(Failure::found()),
    }
}

struct Verdict<'a> {
    changes: Changes,
    /// What became weaker and is not accepted.
    open: BTreeSet<String>,
    /// Lines of the file of accepted changes that name none, with their numbers.
    unused: Vec<(usize, &'a str)>,
}

impl<'a> Verdict<'a> {
    fn of(changes: Changes, accepted: &'a Accepted) -> Self {
        let open = changes.weakened.iter().filter(|line| !accepted.has(line)).cloned().collect();
        let unused = accepted.unused(&changes.weakened);
        Self { changes, open, unused }
    }

    fn text(&self, args: &DiffArgs) -> String {
        let Changes { weakened, strengthened, neutral } = &self.changes;
        let mut text = String::new();
        let mut list = |name: &str, lines: &mut dyn Iterator<Item = String>| {
            let lines: Vec<_> = lines.collect();
            if !lines.is_empty() {
                let _ = writeln!(text, "{HEADING}{name}{HEADING:#}");
                lines.iter().for_each(|line| text.extend(["  ", line, "\n"]));
                text.push('\n');
            }
        };
        let (accepted, open): (Vec<_>, _) =
            weakened.iter().partition(|line| !self.open.contains(*line));
        list("weakened", &mut open.into_iter().cloned());
        list("weakened, accepted", &mut accepted.into_iter().cloned());
        list("strengthened", &mut strengthened.iter().cloned());
        list("neutral", &mut neutral.iter().cloned());
        for (number, line) in &self.unused {
            let file = args.accept.as_ref().map(|file| file.display().to_string());
            let file = file.unwrap_or_default();
            let _ = writeln!(text, "{file}:{number}: nothing became weaker by this line: {line}");
        }
        let _ = match self.open.len() {
            0 if weakened.is_empty() => writeln!(text, "Nothing became weaker."),
            0 => writeln!(text, "Nothing became weaker that is not accepted."),
            1 => writeln!(text, "1 change lets in callers that were not let in before."),
            number => {
                writeln!(text, "{number} changes let in callers that were not let in before.")
            }
        };
        if !self.open.is_empty() {
            let hint =
                "A change that is meant: add its line to a file, and name that with --accept.";
            let _ = writeln!(text, "{FAINT}{hint}{FAINT:#}");
        }
        text
    }

    fn json(&self) -> String {
        let Changes { weakened, strengthened, neutral } = &self.changes;
        let weakened = weakened
            .iter()
            .map(|line| json!({ "line": line, "accepted": !self.open.contains(line) }));
        let unused =
            self.unused.iter().map(|(number, line)| json!({ "number": number, "line": line }));
        let result = json!({
            "weakened": weakened.collect::<Vec<_>>(),
            "strengthened": strengthened,
            "neutral": neutral,
            "unused_accept_lines": unused.collect::<Vec<_>>(),
        });
        format!("{result:#}\n")
    }
}
