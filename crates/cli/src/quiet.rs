//! Keeps libraries below the graphics driver from writing on our standard error.

use std::env;

/// Where it is set by nobody, sets what these libraries honour:
/// - Mesa's layer that sorts adapters asks Wayland for its choice, and libwayland complains where there is no session. Without a
///   session there is nothing to ask, so the layer is left out, unless it was told which adapter to prefer.
/// - Mesa's drivers say that they are no certified ones. The self-test says whether they compute rightly.
///
/// # Safety
/// No other thread may be running.
pub unsafe fn keep_libraries_quiet() {
    let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_session = env::var_os("XDG_RUNTIME_DIR").is_some_and(|path| path.as_encoded_bytes().starts_with(b"/"));
    let has_choice = has("MESA_VK_DEVICE_SELECT") || has("DRI_PRIME");
    let set = |name: &str, value: &str| {
        if !has(name) {
            // SAFETY: the caller's promise.
            unsafe { env::set_var(name, value) };
        }
    };
    if !has_session && !has_choice {
        set("NODEVICE_SELECT", "1");
    }
    set("MESA_VK_IGNORE_CONFORMANCE_WARNING", "true");
}
