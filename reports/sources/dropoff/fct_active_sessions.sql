select * exclude (user_id) from marts.fct_active_sessions
