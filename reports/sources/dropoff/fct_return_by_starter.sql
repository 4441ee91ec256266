select * from marts.fct_return_by_starter
