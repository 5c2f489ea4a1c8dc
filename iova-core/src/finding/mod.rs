//! Small linters over the model.
