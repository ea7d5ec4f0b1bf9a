"""Circuit declarations, one file each: parameters, benches, models, figures."""
