# Puts every file of sql/ into one generated source file: the binary carries its own SQL, and there is one copy of it.
# Raw string literals have a length limit in no compiler we use; the delimiter cannot occur in SQL.
file(GLOB sql_migrations CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/migrations/*.sql ${CMAKE_SOURCE_DIR}/sql/migrations/*/*.sql)
file(GLOB sql_queries CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/queries/*.sql ${CMAKE_SOURCE_DIR}/sql/queries/cli/*.sql)
list(SORT sql_migrations)
set(sql_out ${CMAKE_BINARY_DIR}/generated/sql/embedded)
add_custom_command(
  OUTPUT ${sql_out}.h ${sql_out}.cpp
  COMMAND ${CMAKE_COMMAND} -DOUT=${sql_out} -DDIR=${CMAKE_BINARY_DIR}/generated/sql -DSQL=${CMAKE_SOURCE_DIR}/sql -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
  DEPENDS ${sql_migrations} ${sql_queries} ${CMAKE_SOURCE_DIR}/sql/roles.sql ${CMAKE_SOURCE_DIR}/sql/local_wake.sql
          ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
  COMMENT "Embedding sql/")
add_library(dormouse_sql STATIC ${sql_out}.cpp)
target_sources(dormouse_sql PUBLIC ${sql_out}.h)
target_include_directories(dormouse_sql PUBLIC ${CMAKE_BINARY_DIR}/generated)
target_compile_features(dormouse_sql PUBLIC cxx_std_20)
