//! The admin API: health, metrics, decisions and their why, over read-only copies
