select * from marts.dim_patterns
