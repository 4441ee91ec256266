select * exclude (user_id) from marts.fct_likely_bots
