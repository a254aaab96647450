//! Components that no toolchain makes: the fixture `ok`, with sections grafted on behind its own.

use wasmparser::{Validator, types::TypesRef};
use witgate_attestor::PluginSpec;

use crate::host::fixture;

/// `ok` with one more core module, which is instantiated with the rest: it has a table, and code that
/// runs as its start function.
pub(crate) fn with_start(table: &[u8], code: &[u8]) -> PluginSpec {
    let function = [&[0], code, &[0x0b]].concat();
    let core = module(&[
        section(1, &vector(&[&[0x60, 0, 0]])),
        section(3, &vector(&[&[0]])),
        section(4, &vector(&[table])),
        section(8, &[0]),
        section(10, &vector(&[&sized(&function)])),
    ]);
    graft(|ok| {
        let instance = [&[0][..], &number(ok.module_count()), &vector(&[])].concat();
        vec![section(1, &core), section(2, &vector(&[&instance]))]
    })
}

/// `ok` with one more import: an interface with the function `open`. Nobody calls it.
pub(crate) fn with_import(interface: &str) -> PluginSpec {
    graft(|ok| import(ok, interface).to_vec())
}

/// The same, and `open` is the start function of one more core module.
pub(crate) fn with_start_in(interface: &str) -> PluginSpec {
    let core = module(&[
        section(1, &vector(&[&[0x60, 0, 0]])),
        section(2, &vector(&[&[&name("host")[..], &name("open"), &[0, 0]].concat()])),
        section(8, &[0]),
    ]);
    graft(|ok| {
        let alias = [&[1, 0][..], &number(ok.component_instance_count()), &name("open")].concat();
        let lower = [&[1, 0][..], &number(ok.component_function_count()), &[0]].concat();
        let open = [&name("open")[..], &[0], &number(ok.function_count())].concat();
        let host = [&[1][..], &vector(&[&open])].concat();
        let argument = [&name("host")[..], &[0x12], &number(ok.core_instance_count())].concat();
        let instance = [&[0][..], &number(ok.module_count()), &vector(&[&argument])].concat();
        let mut sections = import(ok, interface).to_vec();
        sections.push(section(6, &vector(&[&alias])));
        sections.push(section(8, &vector(&[&lower])));
        sections.push(section(1, &core));
        sections.push(section(2, &vector(&[&host, &instance])));
        sections
    })
}

/// `ok` with one more import that is a function and no interface.
pub(crate) fn with_function_import(function: &str) -> PluginSpec {
    graft(|ok| {
        let import = [&[0][..], &name(function), &[1], &number(ok.component_type_count())].concat();
        vec![section(7, &vector(&[FUNCTION])), section(10, &vector(&[&import]))]
    })
}

/// The type of a function that takes and gives nothing.
const FUNCTION: &[u8] = &[0x40, 0, 1, 0];

fn import(ok: TypesRef<'_>, interface: &str) -> [Vec<u8>; 2] {
    let open = [&[4, 0][..], &name("open"), &[1, 0]].concat();
    let instance = [&[0x42][..], &vector(&[&[&[1], FUNCTION].concat(), &open])].concat();
    let import = [&[0][..], &name(interface), &[5], &number(ok.component_type_count())].concat();
    [section(7, &vector(&[&instance])), section(10, &vector(&[&import]))]
}

fn graft(sections: impl FnOnce(TypesRef<'_>) -> Vec<Vec<u8>>) -> PluginSpec {
    let mut spec = fixture("ok");
    let types = Validator::new().validate_all(&spec.bytes).unwrap();
    let grafted = [&spec.bytes[..], &sections(types.as_ref()).concat()].concat();
    Validator::new().validate_all(&grafted).unwrap();
    spec.bytes = grafted.into();
    spec
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat()
}

fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind], &sized(content)[..]].concat()
}

fn vector(items: &[&[u8]]) -> Vec<u8> {
    [number(u32::try_from(items.len()).unwrap()), items.concat()].concat()
}

fn name(text: &str) -> Vec<u8> {
    sized(text.as_bytes())
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&number(u32::try_from(content.len()).unwrap()), content].concat()
}

/// LEB128.
fn number(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}
