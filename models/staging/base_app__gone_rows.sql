{# Rows that the last build accepted, of files that are no longer what they were. #}
with

files as (

    select * from {{ ref('base_app__files') }}

),

gone_rows as (

    {% if is_incremental_build() %}
    select
        user_number,
        event_code,
        event_at,
        received_at
    from {{ before_this_build('base_app__accepted_rows') }}
    where file_number not in (select file_number from files)
    {% else %}
    select
        cast(null as integer) as user_number,
        cast(null as integer) as event_code,
        cast(null as timestamp) as event_at,
        cast(null as timestamp) as received_at
    from files
    where false
    {% endif %}

)

select * from gone_rows
