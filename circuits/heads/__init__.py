"""One file per attention head: which circuits it is made of."""
