//! Fuzz target: answers of a kubelet, against a slow reading of all of the document.
