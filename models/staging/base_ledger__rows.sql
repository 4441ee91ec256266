{# Every row of the ledger, its columns found by their names and typed; nothing is
   judged yet. It is small: each row brings its payload along. #}
{{ rows_of_zone(
    'interventions',
    text_columns=[
        'assignment_id', 'intervention', 'unit', 'user_id', 'session_id', 'stage', 'arm',
        'planned_treated_share'
    ],
    time_columns=['assigned_at', 'received_at']
) }}
