//! `cresset models`: what was downloaded, and what can be.

use crate::fetch::{Entry, Name, Store, catalogue_names};
use crate::output::{harmless, print, print_json};
use clap::{Args, Subcommand};
use cresset::error::{Error, Result};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub struct Models {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List what is kept here, and the names that can be downloaded.
    List {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Delete downloaded models.
    Delete {
        /// Their names, as `list` shows them.
        #[arg(value_name = "MODEL", required_unless_present = "all")]
        models: Vec<PathBuf>,
        /// All of them.
        #[arg(long, conflicts_with = "models")]
        all: bool,
    },
}

pub fn models(args: Models) -> Result<()> {
    let store = Store::open()?;
    match args.action.unwrap_or(Action::List { json: false }) {
        Action::List { json } => list(&store, json),
        Action::Delete { models, all } => delete(&store, &models, all)?,
    }
    Ok(())
}

fn list(store: &Store, as_json: bool) {
    let entries = store.entries();
    if as_json {
        let kept: Vec<Value> = (entries.iter())
            .map(|entry| {
                let (bytes, complete) = store.bytes(entry);
                json!({ "model": entry.model, "path": store.path(&entry.open), "bytes": bytes, "complete": complete })
            })
            .collect();
        return print_json(&json!({ "models": kept, "catalogue": catalogue_names() }));
    }
    for entry in &entries {
        let (bytes, complete) = store.bytes(entry);
        let rest = if complete { "" } else { "  (unfinished: naming it again goes on)" };
        print(&format!("{:>9}  {}{rest}\n", megabytes(bytes), harmless(&entry.model)));
    }
    if entries.is_empty() {
        print("Nothing was downloaded yet.\n");
    }
    print(&format!("\nKnown by name: {}.\n", catalogue_names().join(", ")));
}

fn delete(store: &Store, models: &[PathBuf], all: bool) -> Result<()> {
    let mut entries = store.entries();
    let wanted: Vec<Entry> = if all {
        entries
    } else {
        let find = |given: &PathBuf| {
            let name = Name::parse(given)?.canonical();
            let at = entries.iter().position(|entry| entry.model == name);
            at.map(|at| entries.swap_remove(at)).ok_or_else(|| Error::ModelNotFound {
                what: format!("a downloaded model {name}"),
                hint: "; cresset models lists them".into(),
            })
        };
        models.iter().map(find).collect::<Result<_>>()?
    };
    for entry in wanted {
        let freed = store.delete(&entry)?;
        print(&format!("{} deleted, {} freed\n", harmless(&entry.model), megabytes(freed)));
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
