use wasmtime::component::{
    Component, HasSelf, InstancePre, Linker, ResourceType, Val, types::ComponentItem,
};
use witgate_facts::{Capabilities, Interface};

use crate::{
    Engine,
    bindings::{preview::witgate::attestor as next, witgate::attestor as wit},
    error::LoadErrorKind,
    limits,
    lines::printable,
    sandbox::{Sandbox, Stop},
    wasi,
};

/// A resource of an interface that traps. No value of it ever exists.
struct Never;

fn never() -> ResourceType {
    ResourceType::host::<Never>()
}

/// Connects a component with exactly what it may call, once, so that instantiation does not.
///
/// - An interface of ours that is always granted, or asked for (and granted, or it would not have
///   come so far): the host functions.
/// - WASI without files and sockets: real and empty.
/// - Everything else that it imports: functions that trap with a sentence. Toolchains import whole
///   worlds, so an import is no sign of a need.
///
/// Each import that is not ours is defined under the very name the component uses; a definition
/// under another version of the name would hide the real one.
pub(crate) fn link(
    engine: &Engine,
    component: &Component,
    asked: &Capabilities,
) -> Result<InstancePre<Sandbox>, LoadErrorKind> {
    let refuse = |error: wasmtime::Error| LoadErrorKind::Link {
        cause: printable(&format!("{error:#}"), limits::CAUSE_BYTES),
    };
    let mut linker = Linker::new(engine.wasm());
    wit::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |s| s).map_err(refuse)?;
    for interface in Interface::ALL {
        if interface.always_granted() || asked.reach(interface) {
            add(&mut linker, interface).map_err(refuse)?;
        }
    }
    if !engine.previews().is_empty() {
        next::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |s| s).map_err(refuse)?;
    }
    wasi::add_to_linker(&mut linker).map_err(refuse)?;
    trap_the_rest(&mut linker, component, asked).map_err(refuse)?;
    linker.instantiate_pre(component).map_err(refuse)
}

fn add(linker: &mut Linker<Sandbox>, interface: Interface) -> wasmtime::Result<()> {
    match interface {
        Interface::Ancestry => wit::ancestry::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Cache => wit::cache::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Cgroups => wit::cgroups::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Cmdline => wit::cmdline::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Config => wit::config::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Environ => wit::environ::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Executable => wit::executable::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Files => wit::files::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Http => wit::http::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Log => wit::log::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Namespaces => wit::namespaces::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Process => wit::process::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
        Interface::Systemd => wit::systemd::add_to_linker::<_, HasSelf<_>>(linker, |s| s),
    }
}

fn trap_the_rest(
    linker: &mut Linker<Sandbox>,
    component: &Component,
    asked: &Capabilities,
) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    for (name, import) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
        let interface = name.split_once('@').map_or(name, |(interface, _)| interface);
        if provided(interface, asked) {
            continue;
        }
        let mut stub = linker.instance(name)?;
        for (item, of) in instance.exports(&engine) {
            match of.ty {
                ComponentItem::ComponentFunc(_) if is_preopens(interface, item) => {
                    stub.func_new(item, |_, _, _, results| {
                        results.fill(Val::List(Vec::new()));
                        Ok(())
                    })?;
                }
                ComponentItem::ComponentFunc(_) => {
                    let (interface, function) = (interface.to_owned(), item.to_owned());
                    stub.func_new(item, move |_, _, _, _| Err(stop(&interface, &function)))?;
                }
                ComponentItem::Resource(_) => {
                    stub.resource(item, wasi::shared(item).unwrap_or_else(never), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether the linker has this interface already.
fn provided(interface: &str, asked: &Capabilities) -> bool {
    match interface.strip_prefix("witgate:attestor/") {
        Some("types") => true,
        Some(ours) => ours.parse().is_ok_and(|i: Interface| i.always_granted() || asked.reach(i)),
        None => wasi::provides(interface),
    }
}

/// Go asks for the directories it was given before anything else. It was given none.
fn is_preopens(interface: &str, function: &str) -> bool {
    interface == "wasi:filesystem/preopens" && function == "get-directories"
}

fn stop(interface: &str, function: &str) -> wasmtime::Error {
    let shown = |name: &str| printable(name, limits::REASON_BYTES);
    let function = shown(function);
    match interface.strip_prefix("witgate:attestor/") {
        Some(ours) => Stop::NotAsked { interface: shown(ours), function }.into(),
        None => Stop::NoSuchThing { interface: shown(interface), function }.into(),
    }
}
