{# Every row of the identities, its columns found by their names and typed; nothing is
   judged yet. #}
{{ rows_of_zone(
    'identities',
    text_columns=['anonymous_id', 'user_id'],
    time_columns=['mapped_at']
) }}
