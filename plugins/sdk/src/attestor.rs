use crate::{
    Failure, Manifest, Report, bindings::exports::witgate::attestor::attestor as wit, host::config,
};

/// A plugin. Every function runs in a fresh instance of the component.
pub trait Attestor {
    /// Says what the plugin can report; the same every time. May call nothing but `log`.
    fn describe() -> Manifest;

    /// Checks settings, a JSON object, before they are used. May call nothing but `log`. Without
    /// this function a plugin has no settings.
    ///
    /// # Errors
    /// What is wrong with them, for the operator.
    fn validate(settings: &str) -> Result<(), String> {
        let inside = settings.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match inside.map(str::trim) {
            Some("") => Ok(()),
            _ => Err("this plugin has no settings".to_owned()),
        }
    }

    /// Looks at the process of this call.
    ///
    /// # Errors
    /// [`Failure`], if nothing can be said about any key.
    fn attest() -> Result<Report, Failure>;
}

/// Whether anybody wants this key in this call. Work for a key that nobody wants may be skipped,
/// together with its facts.
#[must_use]
pub fn wants(key: &str) -> bool {
    config::wants(key)
}

/// What [`export!`](crate::export) exports: an [`Attestor`] in the words of `wit/`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exported<A>(std::marker::PhantomData<A>);

impl<A: Attestor> wit::Guest for Exported<A> {
    fn describe() -> wit::Manifest {
        A::describe().into()
    }

    fn validate(settings: String) -> Result<(), String> {
        A::validate(&settings)
    }

    fn attest() -> Result<wit::Report, wit::Failure> {
        A::attest().map(Into::into).map_err(Into::into)
    }
}

/// Makes a type that is an [`Attestor`](crate::Attestor) the component's export, and embeds the
/// plugin's `plugin.toml`, a path relative to the package, as the custom section
/// `witgate:manifest`.
///
/// Natively it exports nothing, so that the rest of the crate can be tested.
#[macro_export]
macro_rules! export {
    ($attestor:ty, $plugin_toml:literal) => {
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            let _ = <$attestor as $crate::Attestor>::describe;
            let _ = <$attestor as $crate::Attestor>::validate;
            let _ = <$attestor as $crate::Attestor>::attest;
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Exported<$attestor>;
    $crate::bindings::export_component!(Exported with_types_in $crate::bindings);

            const TEXT: &[u8] =
                include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $plugin_toml));

            #[used]
            #[allow(unsafe_code, reason = "a custom section is only data, and it is ours")]
            #[unsafe(link_section = "witgate:manifest")]
            static PLUGIN_TOML: [u8; TEXT.len()] =
                *include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $plugin_toml));
        };
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Attestor for Plain {
        fn describe() -> Manifest {
            Manifest::new()
        }

        fn attest() -> Result<Report, Failure> {
            Err(Failure::NotApplicable)
        }
    }

    #[test]
    fn a_plugin_without_settings_takes_an_empty_object_only() {
        assert_eq!(Plain::validate("{}"), Ok(()));
        assert_eq!(Plain::validate(" { } "), Ok(()));
        for wrong in ["", "{", "}", "[]", "null", r#"{"a":1}"#] {
            assert!(Plain::validate(wrong).is_err(), "{wrong}");
        }
    }
}
