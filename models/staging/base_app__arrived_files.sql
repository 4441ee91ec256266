{# Files that are new, or not what they were when the last build read them; of the
   ledger and of identities all, since they are small and made anew in each build. #}
with

landing_files as (

    select * from {{ ref('base_app__landing_files') }}

),

arrived_files as (

    select landing_files.*
    from landing_files
    {% if is_incremental_build() %}
    left join {{ before_this_build('base_app__files') }} as files_before
        on
            landing_files.file_name = files_before.file_name
            and landing_files.size_bytes = files_before.size_bytes
            and landing_files.modified_ns = files_before.modified_ns
    where
        landing_files.landing_zone != 'events'
        or files_before.file_name is null
    {% endif %}

)

select * from arrived_files
