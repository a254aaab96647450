//! What is kept of a pod: enough for every selector of each of its containers.

use serde::{Deserialize, Serialize};

use crate::document::Text;

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pod<'a> {
    #[serde(borrow)]
    pub(crate) uid: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) namespace: Text<'a>,
    /// Empty if there is none, like all that follow.
    #[serde(borrow)]
    pub(crate) account: Text<'a>,
    #[serde(borrow)]
    pub(crate) node: Text<'a>,
    #[serde(borrow)]
    pub(crate) qos_class: Text<'a>,
    pub(crate) host_network: bool,
    pub(crate) host_pid: bool,
    #[serde(borrow)]
    pub(crate) labels: Vec<(Text<'a>, Text<'a>)>,
    #[serde(borrow)]
    pub(crate) owners: Vec<Owner<'a>>,
    #[serde(borrow)]
    pub(crate) containers: Vec<Container<'a>>,
    /// How many of its containers the kubelet has told nothing about, in the order of [`Kind::ALL`].
    pub(crate) untold: [usize; 3],
}

/// What made the pod, or else would have it removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner<'a> {
    #[serde(borrow)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) uid: Text<'a>,
}

/// A container, as the kubelet has it from the runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Container<'a> {
    pub(crate) kind: Kind,
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    /// 64 hexadecimal digits; empty as long as there is no container of that shape.
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    /// As the runtime names it, mostly by a tag.
    #[serde(borrow)]
    pub(crate) image: Text<'a>,
    /// By digest; empty as long as there is none.
    #[serde(borrow)]
    pub(crate) image_id: Text<'a>,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// What the pod is there for.
    Regular,
    /// Runs before the others, or beside them from then on.
    Init,
    /// Put into a running pod by somebody who looks for a mistake.
    Ephemeral,
}

impl Kind {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Regular, Self::Init, Self::Ephemeral];

    /// Its name in selectors.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Init => "init",
            Self::Ephemeral => "ephemeral",
        }
    }
}

impl Container<'_> {
    /// One of which nothing else is known.
    pub(crate) fn of(kind: Kind) -> Self {
        let none = Text::default;
        Self { kind, name: none(), id: none(), image: none(), image_id: none() }
    }
}

impl Pod<'_> {
    /// Its containers of one kind.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Container<'_>> {
        self.containers.iter().filter(move |container| container.kind == kind)
    }
}
