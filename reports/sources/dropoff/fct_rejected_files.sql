select * from marts.fct_rejected_files
