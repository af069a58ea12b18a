//! Which source files of a crate import which others: `crate::`, `super::`, `self::`, grouped and nested imports, paths in
//! expressions, types and macros, and names that a `mod.rs` or `lib.rs` re-exports. What only tests import is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::{self, Visit};

/// Where a module stands in its crate: `["device", "gpu"]`, or nothing for the crate's root.
pub type ModulePath = Vec<String>;

/// An import, or any other path that names something of another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    pub from: ModulePath,
    pub to: ModulePath,
    /// The path as it is written.
    pub by: String,
}

/// The modules of one crate.
#[derive(Default)]
pub struct Sources {
    modules: BTreeMap<ModulePath, Module>,
}

/// A source file.
#[derive(Default)]
struct Module {
    file: String,
    /// Names that it defines.
    items: BTreeSet<String>,
    /// Modules in files of their own.
    children: BTreeSet<String>,
    /// All of its `use` lines.
    imports: Vec<Import>,
    /// What they bring in: the path behind each name.
    uses: BTreeMap<String, Vec<String>>,
    /// What those with `*` bring in.
    globs: Vec<Vec<String>>,
    /// All other paths.
    paths: Vec<Vec<String>>,
    /// Names of variables and parameters.
    variables: BTreeSet<String>,
}

struct Import {
    path: Vec<String>,
    public: bool,
}

impl Module {
    /// Whether the file stands for a folder: its `pub use` lines only pass names on.
    fn is_folder(&self) -> bool {
        self.file == "lib.rs" || self.file == "mod.rs" || self.file.ends_with("/mod.rs") || !self.children.is_empty()
    }
}

impl Sources {
    /// All `.rs` files below a crate's `src/`. A `main.rs` beside a `lib.rs` is another crate, and left out.
    pub fn read(folder: &Path) -> Sources {
        let mut files = Vec::new();
        collect(folder, folder, &mut files);
        Sources::of(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
    }

    /// From texts by file name, relative to `src/` and with `/`.
    pub fn of<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Sources {
        let mut sources = Sources::default();
        for (file, text) in files {
            let tree = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let path = module_path(file);
            if file == "main.rs" && sources.modules.contains_key(&path) {
                continue;
            }
            let mut module = Module { file: file.into(), ..Module::default() };
            for item in &tree.items {
                match item {
                    syn::Item::Mod(m) if m.content.is_none() => drop(module.children.insert(m.ident.to_string())),
                    item => module.items.extend(name(item)),
                }
            }
            Walker { module: &mut module, depth: 0 }.visit_file(&tree);
            sources.modules.insert(path, module);
        }
        sources
    }

    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// A module's file, relative to `src/`.
    pub fn file(&self, module: &ModulePath) -> &str {
        &self.modules[module].file
    }

    /// One arrow for each pair of files, but for the `mod` and `pub use` lines of files that stand for folders.
    pub fn arrows(&self) -> Vec<Arrow> {
        let mut arrows: Vec<Arrow> = Vec::new();
        for (from, module) in &self.modules {
            let is_folder = module.is_folder();
            let imports = module.imports.iter().filter(|import| !(is_folder && import.public));
            // A name alone counts where some `use` line has it, and no variable.
            let is_import = |path: &&Vec<String>| {
                path.len() > 1 || module.uses.contains_key(&path[0]) && !module.variables.contains(&path[0])
            };
            let paths = imports.map(|import| &import.path).chain(module.paths.iter().filter(is_import));
            for path in paths {
                let to = self.resolve(from, path, path.len() > 1, MOST_STEPS);
                if let Some(to) = to.filter(|to| to != from)
                    && !arrows.iter().rev().take_while(|arrow| arrow.from == *from).any(|arrow| arrow.to == to)
                {
                    arrows.push(Arrow { from: from.clone(), to, by: path.join("::") });
                }
            }
        }
        arrows
    }

    /// The groups of files that use each other, directly or round about: each with the arrows between them.
    pub fn circles(&self) -> Vec<Vec<Arrow>> {
        let arrows = self.arrows();
        let mut used: BTreeMap<&ModulePath, Vec<&ModulePath>> = BTreeMap::new();
        for arrow in &arrows {
            used.entry(&arrow.from).or_default().push(&arrow.to);
        }
        let reachable = |start| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
            while let Some(at) = next.pop() {
                next.extend(used.get(at).into_iter().flatten().filter(|to| seen.insert(**to)));
            }
            seen
        };
        let reach: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
            self.modules.keys().map(|module| (module, reachable(module))).collect();
        let mut circles: Vec<Vec<Arrow>> = Vec::new();
        for module in self.modules.keys().filter(|module| reach[module].contains(module)) {
            if circles.iter().flatten().any(|arrow| arrow.from == *module) {
                continue;
            }
            let with = |other: &ModulePath| reach[module].contains(other) && reach[other].contains(module);
            circles.push(arrows.iter().filter(|arrow| with(&arrow.from) && with(&arrow.to)).cloned().collect());
        }
        circles
    }

    /// The module whose file defines what a path names, as seen from `from`; `None` for what other crates define.
    /// `lenient`: of a name that is found nowhere, the module that the path leads to (a macro may have made it).
    fn resolve(&self, from: &ModulePath, path: &[String], lenient: bool, steps: usize) -> Option<ModulePath> {
        let steps = steps.checked_sub(1)?;
        let mut at = from.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            first => {
                let module = &self.modules[from];
                if !module.children.contains(first) {
                    return match module.uses.get(first) {
                        // The name of another crate, or one that it brings in itself.
                        Some(path) if path[0] == first => None,
                        Some(path) => self.resolve(from, &[path, &rest[1..]].concat(), lenient, steps),
                        None => self.in_globs(from, rest, steps),
                    };
                }
            }
        }
        while rest.first().is_some_and(|first| ["crate", "self", "super"].contains(&first.as_str())) {
            if rest[0] == "super" {
                at.pop();
            }
            rest = &rest[1..];
        }
        loop {
            let module = self.modules.get(&at)?;
            let Some(next) = rest.first() else { return Some(at) };
            if module.children.contains(next) {
                at.push(next.clone());
                rest = &rest[1..];
                continue;
            }
            if module.items.contains(next) {
                return Some(at);
            }
            return match module.uses.get(next) {
                Some(path) if path[0] == *next => None,
                Some(path) => self.resolve(&at, &[path, &rest[1..]].concat(), lenient, steps),
                None => self.in_globs(&at, rest, steps).or_else(|| lenient.then_some(at)),
            };
        }
    }

    /// The module that a name comes from by one of a module's imports with `*`.
    fn in_globs(&self, module: &ModulePath, rest: &[String], steps: usize) -> Option<ModulePath> {
        let mut globs = self.modules[module].globs.iter();
        // Few steps: each may lead to more modules with `*`.
        globs.find_map(|glob| self.resolve(module, &[glob, rest].concat(), false, steps / 4))
    }
}

/// Steps from one re-export to the next.
const MOST_STEPS: usize = 20;

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
}

fn module_path(file: &str) -> ModulePath {
    let stem = file.strip_suffix(".rs").expect("a Rust file");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if ["lib", "main", "mod"].contains(&stem) { Vec::new() } else { stem.split('/').map(String::from).collect() }
}

/// The name of an item, if it has one.
fn name(item: &syn::Item) -> Option<String> {
    Some(match item {
        syn::Item::Const(item) => item.ident.to_string(),
        syn::Item::Enum(item) => item.ident.to_string(),
        syn::Item::Fn(item) => item.sig.ident.to_string(),
        syn::Item::Macro(item) => item.ident.as_ref()?.to_string(),
        syn::Item::Mod(item) => item.ident.to_string(),
        syn::Item::Static(item) => item.ident.to_string(),
        syn::Item::Struct(item) => item.ident.to_string(),
        syn::Item::Trait(item) => item.ident.to_string(),
        syn::Item::Type(item) => item.ident.to_string(),
        syn::Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let is_test = |list: &syn::MetaList| list.path.is_ident("cfg") && list.tokens.to_string() == "test";
    attributes.iter().any(|attribute| matches!(&attribute.meta, syn::Meta::List(list) if is_test(list)))
}

/// Notes a file's imports and paths.
struct Walker<'m> {
    module: &'m mut Module,
    /// Inline modules around: their `super` is this file.
    depth: usize,
}

impl Walker<'_> {
    /// A path as the file itself would write it.
    fn in_file(&self, mut path: Vec<String>) -> Vec<String> {
        for first in path.iter_mut().take(self.depth).take_while(|first| *first == "super") {
            *first = "self".into();
        }
        path
    }
}

impl<'ast> Visit<'ast> for Walker<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        let mut leaves = Vec::new();
        import_leaves(&[], &item.tree, &mut leaves);
        for (name, path) in leaves {
            let path = self.in_file(path);
            match name {
                None => self.module.globs.push(path.clone()),
                Some(name) => drop(self.module.uses.insert(name, path.clone())),
            }
            self.module.imports.push(Import { path, public });
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let path_of = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let path_of = self.in_file(path_of);
        self.module.paths.push(path_of);
        visit::visit_path(self, path);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.module.variables.insert(pattern.ident.to_string());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // What a macro is made of belongs to where it is used.
        if item.ident.is_none() {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text: String = call.tokens.to_string().split_whitespace().collect();
        for start in ["crate::", "super::", "self::"] {
            for (at, _) in text.match_indices(start) {
                let before = text[..at].chars().next_back();
                if before.is_some_and(|c| c == '$' || c == ':' || c == '_' || c.is_alphanumeric()) {
                    continue; // `$crate` is resolved where the macro is used; or the end of a longer path
                }
                let path = text[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
                let path = path.unwrap_or_default().split("::").filter(|segment| !segment.is_empty());
                let path = self.in_file(path.map(String::from).collect());
                self.module.paths.push(path);
            }
        }
        visit::visit_macro(self, call);
    }
}

/// What an import tree brings in: each name (`None` for `*`), and the path behind it.
fn import_leaves(prefix: &[String], tree: &syn::UseTree, leaves: &mut Vec<(Option<String>, Vec<String>)>) {
    let with = |last: &syn::Ident| [prefix, &[last.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => import_leaves(&with(&path.ident), &path.tree, leaves),
        syn::UseTree::Name(name) if name.ident == "self" => leaves.push((prefix.last().cloned(), prefix.to_vec())),
        syn::UseTree::Name(name) => leaves.push((Some(name.ident.to_string()), with(&name.ident))),
        syn::UseTree::Rename(rename) if rename.ident == "self" => {
            leaves.push((Some(rename.rename.to_string()), prefix.to_vec()));
        }
        syn::UseTree::Rename(rename) => leaves.push((Some(rename.rename.to_string()), with(&rename.ident))),
        syn::UseTree::Glob(_) => leaves.push((None, prefix.to_vec())),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| import_leaves(prefix, tree, leaves)),
    }
}
