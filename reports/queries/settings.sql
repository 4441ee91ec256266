select * from dropoff.dim_settings
