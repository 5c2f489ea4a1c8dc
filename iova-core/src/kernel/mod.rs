//! What the running kernel is: its BTF, its symbols, the offsets of its structs and the hooks it offers.
