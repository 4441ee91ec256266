select * from marts.dim_settings
