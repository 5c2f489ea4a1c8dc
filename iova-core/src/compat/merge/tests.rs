mod order;
mod rules;
