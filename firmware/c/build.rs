//! Gives the shared library the name that programs ask for at run time.

fn main() {
    // Raised with a change that breaks programs built against the last one;
    // structs that grow do not (see `size` in graft.h).
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libgraft_runtime.so.0");
    println!("cargo::rerun-if-changed=build.rs");
}
