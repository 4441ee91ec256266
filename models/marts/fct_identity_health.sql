{{ rows_by_reason(
    '(mapped)',
    ref('stg_identities__people'),
    ref('stg_identities__rejected_rows'),
    identity_reject_reasons()
) }}
