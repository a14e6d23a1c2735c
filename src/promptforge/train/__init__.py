"""`train`: a recipe to an adapter, by a real trainer; and what is kept of each training."""
