select * from marts.fct_frequent_paths_daily
