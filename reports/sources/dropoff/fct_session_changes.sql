select * from marts.fct_session_changes
