{# The files of events that landed, each content of one under its own number: rows hang
   on the number, and go when it does. Those with the newest loaded_in_build are read by
   this build. #}
with

landing_files as (

    select * from {{ ref('base_app__landing_files') }}
    where landing_zone = 'events'

),

arrived_files as (

    select * from {{ ref('base_app__arrived_files') }}
    where landing_zone = 'events'

),

cut_records as (

    select * from {{ ref('base_app__cut_records') }}
    where landing_zone = 'events'

),

column_names_of_text as (

    select
        file_name,
        {{ distinct_of_lists(json_names('payload')) }} as column_names
    from cut_records
    where is_readable and {{ is_json_object('payload') }}
    group by file_name

),

arrived_files_described as (

    select
        arrived_files.*,
        coalesce(
            {{ described_names('arrived_files.columns_json') }},
            column_names_of_text.column_names,
            {{ text_list([]) }}
        ) as column_names,
        {# ndjson says what an object has, not what the others lack #}
        arrived_files.columns_json is not null
        or (
            arrived_files.file_format = 'csv'
            and column_names_of_text.column_names is not null
        ) as declares_columns
    from arrived_files
    left join column_names_of_text
        on arrived_files.file_name = column_names_of_text.file_name

),

{% if is_incremental_build() %}

files_before as (

    select
        files.*,
        file_times.settled_at
    from {{ before_this_build('base_app__files') }} as files
    left join {{ before_this_build('base_app__file_times') }} as file_times
        on files.file_number = file_times.file_number

),

files_there as (

    select
        file_name,
        file_format,
        size_bytes,
        modified_ns,
        columns_json,
        read_error,
        column_names,
        declares_columns,
        cast(null as integer) as file_number,
        cast(null as integer) as loaded_in_build,
        cast(null as timestamp) as settled_at
    from arrived_files_described
    union all
    select
        files_before.file_name,
        files_before.file_format,
        files_before.size_bytes,
        files_before.modified_ns,
        files_before.columns_json,
        files_before.read_error,
        files_before.column_names,
        files_before.declares_columns,
        files_before.file_number,
        files_before.loaded_in_build,
        files_before.settled_at
    from files_before
    inner join landing_files
        on
            files_before.file_name = landing_files.file_name
            and files_before.size_bytes = landing_files.size_bytes
            and files_before.modified_ns = landing_files.modified_ns

),

{# a first event id, or the last one gone, changes how every row is told from the
   others; and a row that lies ahead of the clock is judged again until the clock has
   passed it #}
files_marked as (

    select
        *,
        file_number is null
        or (select {{ any_file_has_event_ids() }} from files_there)
        is distinct from (select {{ any_file_has_event_ids() }} from files_before)
        or coalesce(
            settled_at
            > least({{ last_build_clock() }}, {{ build_clock() }})
            + {{ seconds_interval(var('future_tolerance_seconds')) }},
            false
        ) as is_loaded_now
    from files_there

),

files_numbered as (

    select
        * {{ without(['file_number', 'loaded_in_build']) }},
        case
            when is_loaded_now
                then
                    (select coalesce(max(file_number), 0) from files_before)
                    + row_number() over (partition by is_loaded_now order by file_name)
            else file_number
        end as file_number,
        case when is_loaded_now then {{ this_build_number() }} else loaded_in_build end
            as loaded_in_build
    from files_marked

)

{% else %}

files_numbered as (

    select
        *,
        row_number() over (order by file_name) as file_number,
        {{ this_build_number() }} as loaded_in_build
    from arrived_files_described

)

{% endif %}

select
    cast(file_number as integer) as file_number,
    file_name,
    file_format,
    size_bytes,
    modified_ns,
    columns_json,
    read_error,
    column_names,
    declares_columns,
    cast(loaded_in_build as integer) as loaded_in_build
from files_numbered
