//! From a reference to unpacked layers: registry client, content store, unpacking; knows no container.
