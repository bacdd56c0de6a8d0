//! No engine in a signature: `ort` and `tract` are named inside bodies and
//! private fields only, so that an engine can be replaced without its users
//! noticing.
//!
//! The check reads what is written, crate by crate: every `pub` function, type,
//! field, variant and trait, and the headers of trait implementations. Names
//! imported from an engine count as the engine's; a glob import from one hides
//! them, so a module that has one may have nothing public.

use std::collections::BTreeSet;
use std::fs;

use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ImplItem, Item, Path, UseTree, Visibility};

use crate::{assert_none, libraries, shown};

#[test]
fn no_engine_in_a_public_signature() {
    let mut found = Vec::new();
    for (_, sources) in libraries() {
        for path in sources {
            let text = fs::read_to_string(&path).expect("a source can be read");
            let file =
                syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", shown(&path)));
            found.extend(
                leaks(&file.items).into_iter().map(|leak| format!("{}: {leak}", shown(&path))),
            );
        }
    }
    assert_none(found, "an engine's type is public (make the item pub(crate), or wrap the type)");
}

#[test]
fn the_search_knows_what_is_public() {
    let check = |source: &str, expected: &[&str]| {
        let file = syn::parse_file(source).expect("valid Rust");
        assert_eq!(leaks(&file.items), expected, "{source}");
    };
    check("pub fn f() -> ort::Error { g() }", &["f: ort::Error"]);
    check("use ort::session::Session;\npub fn f(s: &mut Session) {}", &["f: Session"]);
    check("use tract_onnx::prelude::{Tensor as T, tvec};\npub struct S(pub Vec<T>);", &["S: T"]);
    check("pub enum E { A(ort::Error) }", &["E: ort::Error"]);
    check("pub struct S; impl From<ort::Error> for S {}", &["impl for S: ort::Error"]);
    check(
        "pub struct S; impl S { pub fn f(&self) -> Option<ort::Error> { None } }",
        &["f: ort::Error"],
    );
    check(
        "pub type Plan = tract_onnx::prelude::TypedModel;",
        &["Plan: tract_onnx::prelude::TypedModel"],
    );
    check("pub trait Run { fn run(&self) -> ort::Result<()>; }", &["Run: ort::Result"]);
    check("pub use ort::session::Session;", &["use: Session"]);
    check("use tract_onnx::prelude::*;\npub(crate) fn f() -> Tensor { g() }", &[]);
    check(
        "use tract_onnx::prelude::*;\npub fn f() {}",
        &["f: public beside a glob import from an engine"],
    );
    check("pub struct S { session: ort::session::Session }", &[]);
    check("use ort::Error;\npub(crate) fn f() -> Error { g() }\nfn h() -> Error { g() }", &[]);
    check("pub fn f() { let session: ort::session::Session = g(); }", &[]);
    check("#[cfg(test)] mod tests { pub fn f() -> ort::Error { g() } }", &[]);
    check("pub struct S; impl S { fn f(&self) -> ort::Error { g() } }", &[]);
    check("pub(crate) struct S; impl S { pub fn f(&self) -> ort::Error { g() } }", &[]);
    check("struct S; impl From<ort::Error> for S {}", &[]);
}

fn leaks(items: &[Item]) -> Vec<String> {
    let mut search = Search::default();
    search.items(items);
    search.leaks
}

#[derive(Default)]
struct Search {
    /// Names that stand for an engine's in the module at hand.
    imported: BTreeSet<String>,
    /// A glob import hides which names are an engine's.
    blind: bool,
    /// Types of the module at hand that nobody outside sees, whatever their methods are.
    private: BTreeSet<String>,
    leaks: Vec<String>,
    /// The public item being looked at.
    item: String,
}

impl Search {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            let (visibility, name) = match item {
                Item::Use(import) => {
                    self.import(&import.tree, false, &import.vis);
                    continue;
                }
                Item::Struct(item) => (&item.vis, &item.ident),
                Item::Enum(item) => (&item.vis, &item.ident),
                Item::Union(item) => (&item.vis, &item.ident),
                _ => continue,
            };
            if !is_public(visibility) {
                self.private.insert(name.to_string());
            }
        }
        for item in items {
            self.item(item);
        }
    }

    fn import(&mut self, tree: &UseTree, in_engine: bool, visibility: &Visibility) {
        match tree {
            UseTree::Path(path) => {
                self.import(&path.tree, in_engine || is_engine(&path.ident), visibility)
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, in_engine, visibility);
                }
            }
            UseTree::Name(name) if in_engine || is_engine(&name.ident) => {
                self.imports(&name.ident, visibility)
            }
            UseTree::Rename(rename) if in_engine || is_engine(&rename.ident) => {
                self.imports(&rename.rename, visibility);
            }
            UseTree::Glob(_) if in_engine => self.blind = true,
            UseTree::Name(_) | UseTree::Rename(_) | UseTree::Glob(_) => {}
        }
    }

    fn imports(&mut self, name: &syn::Ident, visibility: &Visibility) {
        self.imported.insert(name.to_string());
        if is_public(visibility) {
            self.leaks.push(format!("use: {name}"));
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Mod(module) if !is_for_tests(&module.attrs) => {
                if let Some((_, items)) = &module.content {
                    // A module has its own names.
                    let mut inner = Search::default();
                    inner.items(items);
                    self.leaks.append(&mut inner.leaks);
                }
            }
            Item::Fn(function) if is_public(&function.vis) => {
                self.named(&function.sig.ident).visit_signature(&function.sig);
            }
            Item::Struct(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_generics(&item.generics);
                self.fields(&item.fields);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_item_enum(item)
            }
            Item::Union(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_item_union(item)
            }
            Item::Trait(item) if is_public(&item.vis) => {
                let search = self.named(&item.ident);
                for bound in &item.supertraits {
                    search.visit_type_param_bound(bound);
                }
                for member in &item.items {
                    // A default body is inside: only what implementors and callers see counts.
                    match member {
                        syn::TraitItem::Fn(function) => search.visit_signature(&function.sig),
                        other => search.visit_trait_item(other),
                    }
                }
            }
            Item::Type(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_type(&item.ty)
            }
            Item::Const(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_type(&item.ty)
            }
            Item::Static(item) if is_public(&item.vis) => {
                self.named(&item.ident).visit_type(&item.ty)
            }
            Item::Impl(item) => self.implementation(item),
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Fields) {
        for field in fields.iter().filter(|field| is_public(&field.vis)) {
            self.visit_type(&field.ty);
        }
    }

    fn implementation(&mut self, item: &syn::ItemImpl) {
        // A type of another module is taken for public.
        let name = match &*item.self_ty {
            syn::Type::Path(path) => {
                path.path.segments.last().map(|segment| segment.ident.to_string())
            }
            _ => None,
        };
        let name = name.unwrap_or_else(|| "a foreign type".to_owned());
        if self.private.contains(&name) {
            return;
        }
        if let Some((_, of, _)) = &item.trait_ {
            self.public(format!("impl for {name}")).visit_path(of);
        }
        for member in &item.items {
            match member {
                ImplItem::Fn(function) if is_public(&function.vis) => {
                    self.named(&function.sig.ident).visit_signature(&function.sig);
                }
                ImplItem::Const(constant) if is_public(&constant.vis) => {
                    self.named(&constant.ident).visit_type(&constant.ty);
                }
                _ => {}
            }
        }
    }

    fn named(&mut self, name: &syn::Ident) -> &mut Search {
        self.public(name.to_string())
    }

    fn public(&mut self, item: String) -> &mut Search {
        if self.blind {
            self.leaks.push(format!("{item}: public beside a glob import from an engine"));
        }
        self.item = item;
        self
    }
}

impl<'ast> Visit<'ast> for Search {
    fn visit_path(&mut self, path: &'ast Path) {
        let first = &path.segments[0].ident;
        if is_engine(first) || self.imported.contains(&first.to_string()) {
            let names: Vec<_> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.leaks.push(format!("{}: {}", self.item, names.join("::")));
        }
        visit::visit_path(self, path);
    }
}

fn is_engine(name: &syn::Ident) -> bool {
    name == "ort" || name == "ort_sys" || name == "tract" || name.to_string().starts_with("tract_")
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<Path>().is_ok_and(|path| path.is_ident("test"))
    })
}
