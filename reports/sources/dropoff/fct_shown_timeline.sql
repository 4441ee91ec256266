select * from marts.fct_shown_timeline
