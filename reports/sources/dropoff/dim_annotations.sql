select * from marts.dim_annotations
